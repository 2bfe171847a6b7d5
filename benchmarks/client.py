"""Client: one keep-alive connection that asks and waits, with as little of its own as can be.

A plain socket: http.client sends head and body apart and parses headers into
objects, which took a fifth more time for the same quick answers.
"""

import json
import socket
import time
from typing import Any, Self

from nextword.errors import NextwordError

_END_OF_HEAD = b"\r\n\r\n"


class ServiceError(NextwordError):
    """The service under measurement did not start, or did not answer as it should."""


class Client:
    """A connection to the service; use it in a ``with``."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, path: str) -> Any:
        """Return what a route answers."""
        return json.loads(self.exchange(get_request(path))[1])

    def exchange(self, request: bytes) -> tuple[float, bytes]:
        """Send a request; return the seconds from there to the answer's last byte, and its body.

        Raises ServiceError for any answer but a 200.
        """
        begun = time.perf_counter()
        self._socket.sendall(request)
        head, body = self._receive()
        seconds = time.perf_counter() - begun
        if not head.startswith(b"HTTP/1.1 200 "):
            status = head.partition(b"\r\n")[0].decode("latin-1")
            raise ServiceError(f"the service answered {status!r}; try the request by hand")
        return seconds, body

    def _receive(self) -> tuple[bytes, bytes]:
        received = b""
        while _END_OF_HEAD not in received:
            received += self._more()
        head, _, body = received.partition(_END_OF_HEAD)
        length = content_length(head)
        while len(body) < length:
            body += self._more()
        return head, body

    def _more(self) -> bytes:
        more = self._socket.recv(65_536)
        if not more:
            raise ServiceError("the service closed the connection; its log says why")
        return more


def get_request(path: str) -> bytes:
    """Return the bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def suggest_request(text: str, model: str, count: int = 3) -> bytes:
    """Return the bytes of a request for suggestions."""
    body = json.dumps({"text": text, "count": count, "model": model}).encode()
    head = (
        "POST /v1/suggest HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def content_length(head: bytes) -> int:
    """Return how long an answer's body is. Raises ServiceError where its head doesn't say."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ServiceError("the service answered without a Content-Length; this client needs one")
