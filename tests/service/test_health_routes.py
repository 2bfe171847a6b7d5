import httpx
import pytest

from tests.service.fake_suggester import FakeSuggester


def test_it_is_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}


def test_it_is_live_but_not_ready_when_a_model_fails(
    client: httpx.Client, suggester: FakeSuggester, caplog: pytest.LogCaptureFixture
) -> None:
    suggester.failure = MemoryError("out of memory")
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["detail"] == "first does not answer; the log says why"
    assert "builtins.MemoryError" in caplog.text
    assert client.get("/health/live").status_code == 200
