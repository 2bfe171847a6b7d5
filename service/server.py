"""Server: the application on a port, through uvicorn."""

import copy
import logging
import socket
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from nextword.errors import ConfigError
from service.app import create_app
from service.settings import Settings

log = logging.getLogger("nextword.service")


def serve(settings: Settings) -> None:
    """Serve until told to stop.

    Raises ConfigError where the address can't be had, BundleError where a
    model can't be loaded: the address first, because it is known at once.
    """
    with _listen(settings.host, settings.port) as listener:
        app = create_app(settings)
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=_log_config(settings.log_level),
            access_log=settings.log_level in ("info", "debug"),
        )
        log.info("Nextword listens on %s and shows how to ask at /docs", _address(listener))
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"{host} port {port}: can't listen there ({error.strerror}); stop what does, "
            "or choose another with --host and --port"
        ) from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _log_config(level: str) -> dict[str, Any]:
    """Return uvicorn's logging with the service's own messages in the same form."""
    config = copy.deepcopy(LOGGING_CONFIG)
    for logger in ("uvicorn", "uvicorn.error"):
        config["loggers"][logger]["level"] = level.upper()
    config["loggers"]["nextword"] = {"handlers": ["default"], "level": level.upper()}
    config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    return config
