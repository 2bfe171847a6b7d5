from pathlib import Path

import numpy as np
import pytest

from export import graph as graph_module
from export.bundle import make_bundle
from nextword.bundle import MODEL
from nextword.errors import RunError
from nextword.suggester import Suggester
from tests.conftest import Trained


def test_int8_is_taken_only_where_it_costs_little(trained: Trained, tmp_path: Path) -> None:
    strict = make_bundle(trained.run, tmp_path / "strict", "strict", max_loss=-1)
    assert strict.manifest.figures["int8"] == 0
    assert "full precision" in strict.file("README.md").read_text()
    if "perplexity_int8" in strict.manifest.figures:
        assert trained.bundle.manifest.figures["int8"] == 1
        assert trained.bundle.file(MODEL).stat().st_size < strict.file(MODEL).stat().st_size


def test_measured_quality_is_that_of_the_definition(trained: Trained) -> None:
    documents = graph_module.contexts(trained.run.sample(), 1, 12)[:3]
    exported = graph_module.load_graph(trained.bundle.file(MODEL), trained.predictor.graph())
    quality = graph_module.measure(exported, documents)
    rows, targets = [], []
    for document in documents:
        for place in range(1, len(document)):
            rows.append(exported.log_probs(document[:place]))
            targets.append(document[place])
    chances = np.stack(rows)[np.arange(len(targets)), targets]
    better = (np.stack(rows) > chances[:, None]).sum(axis=1)
    assert quality.perplexity == pytest.approx(np.exp(-chances.mean()), rel=1e-5)
    assert quality.top3 == pytest.approx((better < 3).mean())


def test_graph_that_differs_from_its_origin_is_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "PARITY_TOLERANCE", 0.0)
    with pytest.raises(RunError, match="differs from the trained predictor"):
        make_bundle(trained.run, tmp_path / "wrong", "wrong", 0.05)
    assert list(tmp_path.iterdir()) == []


def test_self_test_holds_what_the_bundle_says(trained: Trained) -> None:
    suggester = Suggester.open(trained.bundle.path)
    for test in suggester.manifest.self_test:
        found = suggester.next_words(test.text, len(test.words))
        assert tuple(each.word for each in found) == test.words
