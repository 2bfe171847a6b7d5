"""Guard: the outermost layer, so that no failure tells what was typed.

Left alone, an unexpected exception is logged with its message, and messages
quote values: ``KeyError('what someone typed')``.
"""

import logging
import traceback

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import Kind, Problem

log = logging.getLogger("nextword.service")


class Guard:
    """ASGI middleware: what nobody expected becomes a problem document and a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noting_send)
        except ClientDisconnect:
            log.info("a client left before it had sent its request")
        except Exception as error:
            log.error("a request failed\n%s", withheld(error))
            if not started:
                problem = Problem(Kind.INTERNAL, "the service's log says why; try again later")
                await problem.response()(scope, receive, send)


def withheld(error: BaseException) -> str:
    """Return the traceback of ``error`` and of what led to it, without their messages."""
    lines: list[str] = []
    each: BaseException | None = error
    while each is not None:
        name = f"{type(each).__module__}.{type(each).__qualname__}"
        lines[:0] = [*traceback.format_tb(each.__traceback__), f"{name} (message withheld)\n"]
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "".join(lines)
