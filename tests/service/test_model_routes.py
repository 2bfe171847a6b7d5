import httpx


def test_lists_the_models_default_first(client: httpx.Client) -> None:
    models = client.get("/v1/models").json()["models"]
    assert [(model["name"], model["default"]) for model in models] == [
        ("first", True),
        ("second", False),
    ]
    assert models[0] == {
        "name": "first",
        "version": "1.2.3",
        "default": True,
        "kind": "fake",
        "language": "en",
        "vocabulary_size": 100,
        "context_length": 8,
    }


def test_shows_a_model_with_its_manifest(client: httpx.Client) -> None:
    model = client.get("/v1/models/second").json()
    assert model["name"] == "second"
    assert model["default"] is False
    assert model["manifest"]["figures"] == {"top_3": 0.3}


def test_an_unknown_model_is_a_problem(client: httpx.Client) -> None:
    response = client.get("/v1/models/third")
    assert response.status_code == 404
    assert response.json()["detail"] == "model: is not loaded; use one of: first, second"
