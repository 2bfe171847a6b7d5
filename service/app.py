"""App: settings and models put together into an ASGI application."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from nextword.errors import InputError, NextwordError
from nextword.suggester import Suggester
from service import problems
from service.guard import Guard
from service.problems import Problem
from service.registry import Registry
from service.routes import router
from service.settings import Settings, load_settings

DESCRIPTION = (
    "The brain behind a phone keyboard's suggestion strip: send what was typed, get the words "
    "that are most likely wanted. Whatever goes wrong is answered with a problem document "
    "(RFC 9457) that names the field and the remedy."
)


def create_app(settings: Settings, suggesters: Mapping[str, Suggester] | None = None) -> FastAPI:
    """Return the application, its models loaded and checked.

    They are loaded here and not at the application's startup, so that a bad
    bundle is an ordinary BundleError, raised before anyone listens.
    ``suggesters`` are used in the place of the settings' models, where given.
    """
    app = FastAPI(
        title="Nextword",
        description=DESCRIPTION,
        version=version("nextword"),
        redirect_slashes=False,
        redoc_url=None,
        # FastAPI's traces and logs quote exceptions, and so what was typed.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.registry = (
        Registry.open(settings) if suggesters is None else Registry(suggesters, settings.default)
    )
    app.include_router(router)
    app.add_middleware(Guard)
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(InputError, _answer_input_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's way to extend it
    return app


def application() -> FastAPI:
    """Return the application of the usual settings, for ``uvicorn --factory``.

    What is wrong with them ends the process with one line.
    """
    try:
        return create_app(load_settings())
    except NextwordError as error:
        raise SystemExit(f"nextword: {error}") from None


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _answer_input_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    return problems.from_input_error(error).response()


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problems.from_http(error).response()


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return FastAPI's schema, the problems in it under their own media type."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path in schema["paths"].values():
            for operation in path.values():
                for status, answer in operation["responses"].items():
                    if status >= "400":
                        answer["content"] = {
                            problems.MEDIA_TYPE: answer["content"].pop("application/json")
                        }
        app.openapi_schema = schema
    return app.openapi_schema
