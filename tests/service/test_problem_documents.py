import logging
from collections.abc import Iterator

import httpx
import pytest

from service.body import max_bytes
from tests.service.fake_suggester import FakeSuggester

JSON = {"content-type": "application/json"}
SECRET = "zanzibar"


def assert_problem(response, status: int, kind: str) -> dict:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["type"] == f"urn:nextword:problem:{kind}"
    assert document["title"]
    assert document["detail"]
    assert SECRET not in response.text
    return document


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ({}, "text", "is missing; add it"),
        ({"text": 5}, "text", "should be a valid string"),
        ({"text": None}, "text", "should be a valid string"),
        ({"text": [SECRET]}, "text", "should be a valid string"),
        ({"text": SECRET, "count": 0}, "count", "should be greater than or equal to 1"),
        ({"text": SECRET, "count": 11}, "count", "should be less than or equal to 10"),
        ({"text": SECRET, "count": 10**30}, "count", "should be less than or equal to 10"),
        ({"text": SECRET, "count": "3"}, "count", "should be a valid integer"),
        ({"text": SECRET, "count": 2.5}, "count", "should be a valid integer"),
        ({"text": SECRET, "count": True}, "count", "should be a valid integer"),
        ({"text": SECRET, "count": None}, "count", "should be a valid integer"),
        ({"text": SECRET, "model": 1}, "model", "should be a valid string"),
        (
            {"text": SECRET, "cuont": 3},
            "cuont",
            "there is no such key; remove it, or use one of: text, count, model",
        ),
        ([SECRET], "body", "should be an object"),
        (SECRET, "body", "should be an object"),
        (1, "body", "should be an object"),
    ],
)
def test_a_wrong_field_is_named_with_its_remedy(
    client: httpx.Client, body: object, field: str, detail: str
) -> None:
    document = assert_problem(client.post("/v1/suggest", json=body), 422, "invalid-request")
    assert document["errors"] == [{"field": field, "detail": detail}]
    assert document["detail"] == f"{field}: {detail}"


def test_all_wrong_fields_are_named_at_once(client: httpx.Client) -> None:
    response = client.post("/v1/suggest", json={"count": 0, "cuont": 1})
    document = assert_problem(response, 422, "invalid-request")
    assert [error["field"] for error in document["errors"]] == ["text", "count", "cuont"]


def test_a_key_that_could_be_typed_text_is_not_repeated(client: httpx.Client) -> None:
    response = client.post("/v1/suggest", json={"text": "", f"I live in {SECRET}": 1})
    document = assert_problem(response, 422, "invalid-request")
    assert document["errors"][0]["field"] == "(a key)"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"zanzibar",
        b'{"text": "zanzibar',
        b"{'text': 'zanzibar'}",
        b'{"text": "zanzibar"} zanzibar',
        rb'{"text": "zanzibar \ud800"}',
        rb'{"text": "a", "\udfff zanzibar": 1}',
        b'{"text": "zanzibar \xff"}',
        b'\xff\xfe{\x00"\x00',
        b'\xef\xbb\xbf{"text": "a"}',
        b'{"text": "a\nb"}',
        b'{"text": ' + b"[" * 100_000,
        b'{"text": "a", "other": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}",
    ],
)
def test_what_is_not_json_is_said_so(client: httpx.Client, body: bytes) -> None:
    response = client.post("/v1/suggest", content=body, headers=JSON)
    assert_problem(response, 400, "invalid-json")


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5_000])
def test_numbers_that_are_none_are_refused(client: httpx.Client, number: bytes) -> None:
    body = b'{"text": "zanzibar", "count": ' + number + b"}"
    response = client.post("/v1/suggest", content=body, headers=JSON)
    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code, response.json()["type"].rpartition(":")[2])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/jsonp"},
    ],
)
def test_another_content_type_is_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    response = client.post("/v1/suggest", content=b'{"text": "zanzibar"}', headers=headers)
    document = assert_problem(response, 415, "unsupported-media-type")
    assert "Content-Type: application/json" in document["detail"]


def test_text_over_the_limit_is_refused(client: httpx.Client, suggester: FakeSuggester) -> None:
    response = client.post("/v1/suggest", json={"text": "x" * 200_001})
    document = assert_problem(response, 413, "too-large")
    assert document["errors"][0]["field"] == "text"
    assert suggester.asked == []


def test_a_large_body_is_refused_by_its_header(client: httpx.Client) -> None:
    body = b" " * (max_bytes(200_000) + 1)
    assert_problem(client.post("/v1/suggest", content=body, headers=JSON), 413, "too-large")


def test_a_large_body_that_does_not_say_its_size_is_refused(client: httpx.Client) -> None:
    sent = 0

    def unsized() -> Iterator[bytes]:
        nonlocal sent
        while sent < max_bytes(200_000) * 4:
            sent += 1 << 16
            yield b" " * (1 << 16)

    response = client.post("/v1/suggest", content=unsized(), headers=JSON)
    assert_problem(response, 413, "too-large")


@pytest.mark.parametrize("name", ["third", "First", "", SECRET])
def test_an_unknown_model_is_answered_with_the_loaded_ones(client: httpx.Client, name: str) -> None:
    response = client.post("/v1/suggest", json={"text": "a", "model": name})
    document = assert_problem(response, 404, "unknown-model")
    assert document["detail"] == "model: is not loaded; use one of: first, second"


@pytest.mark.parametrize("path", ["/", "/v1", f"/v1/{SECRET}", "/v1/suggest/", "/v1/models/"])
def test_an_unknown_address_is_a_problem(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path), 404, "no-such-route")


def test_a_wrong_method_is_a_problem_that_names_the_right_one(client: httpx.Client) -> None:
    response = client.get("/v1/suggest")
    document = assert_problem(response, 405, "wrong-method")
    assert response.headers["allow"] == "POST"
    assert "use POST" in document["detail"]


def test_a_failure_tells_the_log_where_but_nobody_what_was_typed(
    client: httpx.Client, suggester: FakeSuggester, caplog: pytest.LogCaptureFixture
) -> None:
    cause = KeyError(SECRET)
    suggester.failure = RuntimeError(f"can't go on after {SECRET}")
    suggester.failure.__cause__ = cause
    with caplog.at_level(logging.DEBUG):
        response = client.post("/v1/suggest", json={"text": SECRET})
    assert_problem(response, 500, "internal")
    assert "raise self.failure" in caplog.text
    assert "builtins.RuntimeError" in caplog.text
    assert "builtins.KeyError" in caplog.text
    assert SECRET not in caplog.text
