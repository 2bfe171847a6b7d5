"""Routes: what the service answers, and to what."""

import logging
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from nextword.suggester import Suggester
from service.body import document_body, max_bytes, read_body
from service.guard import withheld
from service.problems import Kind, Problem, field_problem
from service.registry import Registry
from service.settings import Settings
from service.wire import (
    Health,
    ModelDetail,
    ModelList,
    ModelSummary,
    ProblemDocument,
    Suggestion,
    SuggestRequest,
    SuggestResponse,
)

log = logging.getLogger("nextword.service")
router = APIRouter()


def _problems(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return the part of OpenAPI that says in which ways a route can fail."""
    return {
        kind.status: {"model": ProblemDocument, "description": kind.title}
        for kind in (*kinds, Kind.INTERNAL)
    }


@router.post(
    "/v1/suggest",
    tags=["words"],
    summary="The words for the suggestion strip",
    response_model=SuggestResponse,
    openapi_extra=document_body(SuggestRequest),
    responses=_problems(
        Kind.INVALID_JSON, Kind.UNKNOWN_MODEL, Kind.TOO_LARGE, Kind.NOT_JSON, Kind.INVALID_REQUEST
    ),
)
async def suggest(request: Request) -> Response:
    """Say which words are most likely wanted next, or for the word being typed."""
    limit = _settings(request).max_text
    body = await read_body(request, SuggestRequest, max_bytes(limit))
    if len(body.text) > limit:
        raise field_problem(
            Kind.TOO_LARGE, "text", f"has more than {limit} characters; send the last of them"
        )
    name, suggester = _registry(request).get(body.model)
    # On the event loop: a thread would cost more than the millisecond this takes.
    found = suggester.suggest(body.text, body.count)
    return _json(
        SuggestResponse(
            suggestions=tuple(
                Suggestion(text=each.text, probability=each.probability)
                for each in found.suggestions
            ),
            prefix=found.prefix,
            model=name,
            version=suggester.manifest.version,
        )
    )


@router.get(
    "/v1/models",
    tags=["models"],
    summary="The loaded models",
    response_model=ModelList,
    responses=_problems(),
)
async def models(request: Request) -> Response:
    """List the loaded models, the default one first."""
    registry = _registry(request)
    return _json(
        ModelList(
            models=tuple(
                ModelSummary(**_summary(name, suggester, registry)) for name, suggester in registry
            )
        )
    )


@router.get(
    "/v1/models/{name}",
    tags=["models"],
    summary="One model, with its manifest",
    response_model=ModelDetail,
    responses=_problems(Kind.UNKNOWN_MODEL, Kind.INVALID_REQUEST),
)
async def model(name: str, request: Request) -> Response:
    """Show what a model's bundle says about it: sources, licences, figures, files."""
    registry = _registry(request)
    name, suggester = registry.get(name)
    return _json(ModelDetail(**_summary(name, suggester, registry), manifest=suggester.manifest))


@router.get(
    "/health/live",
    tags=["health"],
    summary="Does it run?",
    response_model=Health,
    responses=_problems(),
)
async def live() -> Response:
    """Answer, which is all that being alive takes."""
    return _json(Health(status="live"))


@router.get(
    "/health/ready",
    tags=["health"],
    summary="Can it answer?",
    response_model=Health,
    responses=_problems(Kind.NOT_READY),
)
async def ready(request: Request) -> Response:
    """Ask every model for a word; ready is who gets one from each."""
    for name, suggester in _registry(request):
        try:
            suggester.suggest("", 1)
        except Exception as error:
            log.error("%s does not answer\n%s", name, withheld(error))
            raise Problem(Kind.NOT_READY, f"{name} does not answer; the log says why") from None
    return _json(Health(status="ready"))


def _summary(name: str, suggester: Suggester, registry: Registry) -> dict[str, Any]:
    manifest = suggester.manifest
    return {
        "name": name,
        "version": manifest.version,
        "default": name == registry.default,
        "kind": manifest.kind,
        "language": manifest.language,
        "vocabulary_size": manifest.vocabulary_size,
        "context_length": manifest.context_length,
    }


def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


def _registry(request: Request) -> Registry:
    return cast(Registry, request.app.state.registry)


def _json(answer: BaseModel) -> Response:
    """Return an answer as it is: FastAPI would check once more what was just built."""
    return Response(answer.model_dump_json(), media_type="application/json")
