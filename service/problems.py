"""Problems: every answer that is not a success, as RFC 9457 problem documents.

``Kind`` is the closed table of what can go wrong. A problem says what to do
about it, and never repeats what was typed.
"""

import re
from enum import Enum
from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from nextword.errors import InputError
from service.wire import FieldProblem, ProblemDocument

MEDIA_TYPE = "application/problem+json"

_HARMLESS_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


class Kind(Enum):
    """What can go wrong: the name in ``type``, the status code, and the title."""

    INVALID_JSON = "invalid-json", 400, "The body is not JSON"
    NO_SUCH_ROUTE = "no-such-route", 404, "There is nothing at this address"
    UNKNOWN_MODEL = "unknown-model", 404, "No such model is loaded"
    WRONG_METHOD = "wrong-method", 405, "This address does not answer that method"
    TOO_LARGE = "too-large", 413, "The request is too large"
    NOT_JSON = "unsupported-media-type", 415, "The body must be JSON"
    INVALID_REQUEST = "invalid-request", 422, "The request is not as documented"
    INTERNAL = "internal", 500, "The service failed"
    NOT_READY = "not-ready", 503, "The service can't answer now"

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title


class Problem(Exception):
    """A request can't be answered: why, and which fields are to blame."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: tuple[FieldProblem, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.errors = errors
        self.headers = headers

    def response(self) -> Response:
        """Return the problem document."""
        document = ProblemDocument(
            type=f"urn:nextword:problem:{self.kind.slug}",
            title=self.kind.title,
            status=self.kind.status,
            detail=str(self),
            errors=self.errors,
        )
        return Response(
            document.model_dump_json(),
            self.kind.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


def field_problem(kind: Kind, field: str, detail: str) -> Problem:
    """Return the problem that one field makes."""
    return Problem(kind, f"{field}: {detail}", errors=(FieldProblem(field=field, detail=detail),))


def from_validation(error: ValidationError, model: type[BaseModel]) -> Problem:
    """Return what is wrong with a body that should have been a ``model``."""
    details = error.errors(include_url=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return Problem(
            Kind.INVALID_JSON, f"body: {details[0]['ctx']['error']}; send one JSON object in UTF-8"
        )
    errors = tuple(_field_problem(each, model) for each in details)
    detail = "; ".join(f"{each.field}: {each.detail}" for each in errors)
    return Problem(Kind.INVALID_REQUEST, detail, errors=errors)


def _field_problem(error: ErrorDetails, model: type[BaseModel]) -> FieldProblem:
    field = ".".join(_harmless(part) for part in error["loc"]) or "body"
    if error["type"] == "missing":
        return FieldProblem(field=field, detail="is missing; add it")
    if error["type"] == "extra_forbidden":
        keys = ", ".join(model.model_fields)
        return FieldProblem(
            field=field, detail=f"there is no such key; remove it, or use one of: {keys}"
        )
    return FieldProblem(field=field, detail=error["msg"].removeprefix("Input "))


def _harmless(part: int | str) -> str:
    """Return a part of a field's path, unless it could be something typed."""
    text = str(part)
    return text if isinstance(part, int) or _HARMLESS_KEY.fullmatch(text) else "(a key)"


def from_input_error(error: InputError) -> Problem:
    """Return the problem for what the library refused."""
    return Problem(Kind.INVALID_REQUEST, str(error))


def from_http(error: HTTPException) -> Problem:
    """Return the problem for what the router refused."""
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers.get("Allow", "another method")
        return Problem(Kind.WRONG_METHOD, f"use {allowed}; /docs shows how", headers=headers)
    return Problem(Kind.NO_SUCH_ROUTE, "check the path; /docs shows every address", headers=headers)
