import httpx
import pytest

from nextword.errors import InputError
from tests.service.fake_suggester import FakeSuggester


def test_answers_the_words_best_first(client: httpx.Client, suggester: FakeSuggester) -> None:
    response = client.post("/v1/suggest", json={"text": "I'll meet you at the "})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "suggestions": [
            {"text": "office", "probability": 0.125},
            {"text": "station", "probability": 0.125},
            {"text": "end", "probability": 0.125},
        ],
        "prefix": "",
        "model": "first",
        "version": "1.2.3",
    }
    assert suggester.asked == [("I'll meet you at the ", 3)]


def test_says_which_word_is_being_typed(client: httpx.Client) -> None:
    assert client.post("/v1/suggest", json={"text": "See you tomorr"}).json()["prefix"] == "tomorr"


@pytest.mark.parametrize("count", [1, 10])
def test_gives_as_many_words_as_asked_for(client: httpx.Client, count: int) -> None:
    answer = client.post("/v1/suggest", json={"text": "", "count": count}).json()
    assert len(answer["suggestions"]) == count


def test_asks_the_named_model(client: httpx.Client, suggester: FakeSuggester) -> None:
    answer = client.post("/v1/suggest", json={"text": "a", "model": "second"}).json()
    assert answer["model"] == "second"
    assert suggester.asked == []


@pytest.mark.parametrize(
    "text", ["", "\n", "\0", "𝒽é llo 👩‍👩‍👧‍👦", "日本語", "\u202eright to left", "x" * 200_000]
)
def test_takes_any_text(client: httpx.Client, suggester: FakeSuggester, text: str) -> None:
    assert client.post("/v1/suggest", json={"text": text}).status_code == 200
    assert suggester.asked == [(text, 3)]


def test_the_longest_text_fits_however_it_is_escaped(client: httpx.Client) -> None:
    body = b'{"text": "' + rb"\ud83d\ude00" * 200_000 + b'"}'
    response = client.post(
        "/v1/suggest", content=body, headers={"content-type": "application/json; charset=utf-8"}
    )
    assert response.status_code == 200


def test_what_the_library_refuses_is_the_callers_fault(
    client: httpx.Client, suggester: FakeSuggester
) -> None:
    suggester.failure = InputError("count: 99 is more than there are words; ask for fewer")
    response = client.post("/v1/suggest", json={"text": "a"})
    assert response.status_code == 422
    assert response.json()["detail"] == str(suggester.failure)
