import httpx


def test_docs_are_served(client: httpx.Client) -> None:
    assert client.get("/docs").status_code == 200


def test_every_route_documents_itself_and_its_problems(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {
        "/v1/suggest",
        "/v1/models",
        "/v1/models/{name}",
        "/health/live",
        "/health/ready",
    }
    for path in schema["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]
            for status, answer in operation["responses"].items():
                media_type = "application/json" if status == "200" else "application/problem+json"
                assert list(answer["content"]) == [media_type]
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def test_the_body_is_documented_with_its_limits_and_an_example(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    body = schema["paths"]["/v1/suggest"]["post"]["requestBody"]["content"]["application/json"]
    count = body["schema"]["properties"]["count"]
    assert (count["minimum"], count["maximum"], count["default"]) == (1, 10, 3)
    assert body["schema"]["examples"] == [{"text": "I'll meet you at the "}]
    assert body["schema"]["additionalProperties"] is False
