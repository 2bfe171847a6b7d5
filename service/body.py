"""Body: a request's bytes to a checked wire type.

Not left to FastAPI, for three reasons: the size is bounded while reading;
pydantic's parser refuses in one pass what ``json.loads`` lets through or trips
over (lone surrogates, deep nesting); and it is faster.
"""

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.problems import Kind, Problem, from_validation

Model = TypeVar("Model", bound=BaseModel)

BYTES_PER_CHARACTER = 12
"""The longest way to write a character in JSON: two escapes of six bytes."""

OTHER_BYTES = 16 << 10
"""Room for all that is not the text."""


def max_bytes(max_text: int) -> int:
    """Return how large a body with so many characters of text can be."""
    return max_text * BYTES_PER_CHARACTER + OTHER_BYTES


async def read_body(request: Request, model: type[Model], limit: int) -> Model:
    """Return the request's body as ``model``, of at most ``limit`` bytes.

    Raises Problem where the body is anything else.
    """
    _require_json(request)
    body = await _read(request, limit)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # From None: the error holds the body, and so what was typed.
        raise from_validation(error, model) from None


def document_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the part of OpenAPI that says a route takes ``model``."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(Kind.NOT_JSON, "send JSON, and the header Content-Type: application/json")


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> Problem:
    return Problem(Kind.TOO_LARGE, f"body: is larger than {limit} bytes; send less text")
