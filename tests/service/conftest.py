import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from service.app import create_app
from service.settings import Settings
from tests.service.fake_suggester import FakeSuggester


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[str, FakeSuggester]]:
    """The address of a running service with two models, and the first, its default."""
    first = FakeSuggester("first")
    settings = Settings(default="first", models={"first": Path("a"), "second": Path("b")})
    app = create_app(settings, {"second": FakeSuggester("second"), "first": first})
    server = uvicorn.Server(uvicorn.Config(app, ws="none", lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", first
        server.should_exit = True
        thread.join()


@pytest.fixture
def suggester(served: tuple[str, FakeSuggester]) -> FakeSuggester:
    _, suggester = served
    suggester.asked.clear()
    suggester.failure = None
    return suggester


@pytest.fixture
def client(served: tuple[str, FakeSuggester], suggester: FakeSuggester) -> Iterator[httpx.Client]:
    """A client of that service, its first model as good as new."""
    address, _ = served
    with httpx.Client(base_url=address) as client:
        yield client
