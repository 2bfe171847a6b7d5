"""One suite for every kind of predictor: what the one ONNX signature promises."""

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from export.graph import PARITY_TOLERANCE, contexts, largest_difference
from nextword.bundle import MODEL, StateTensor
from nextword.predictor import Predictor
from tests.conftest import Trained

State = dict[str, NDArray[np.generic]]


class Session:
    """A bundle's graph, run by hand."""

    def __init__(self, trained: Trained) -> None:
        self.states = trained.bundle.manifest.states
        self._session = onnxruntime.InferenceSession(str(trained.bundle.file(MODEL)))

    def fresh(self, batch: int = 1) -> State:
        return {state.name: _fresh(state, batch) for state in self.states}

    def run(self, tokens: list[list[int]], state: State) -> tuple[NDArray[np.float32], State]:
        inputs = {"tokens": np.array(tokens, dtype=np.int64), **state}
        names = ["log_probs", *(f"{each.name}_next" for each in self.states)]
        log_probs, *state_next = self._session.run(names, inputs)
        return log_probs, dict(zip([each.name for each in self.states], state_next, strict=True))


def _fresh(state: StateTensor, batch: int) -> NDArray[np.generic]:
    sizes = {"batch": batch, "past": 0}
    shape = [sizes[size] if isinstance(size, str) else size for size in state.shape]
    return np.full(shape, state.fill, dtype=state.dtype)


def load(trained: Trained, cache_bytes: int = 1 << 20) -> Predictor:
    manifest = trained.bundle.manifest
    return Predictor(
        trained.bundle.file(MODEL),
        manifest.states,
        manifest.context_length,
        cache_bytes=cache_bytes,
    )


@pytest.fixture
def session(trained: Trained) -> Session:
    return Session(trained)


@pytest.fixture
def documents(trained: Trained) -> list[list[int]]:
    return contexts(trained.run.sample(), 1, 24)


def test_rows_sum_to_one(session: Session, documents: list[list[int]]) -> None:
    for document in documents[:10]:
        log_probs, _ = session.run([document], session.fresh())
        assert np.exp(log_probs.astype(np.float64)).sum() == pytest.approx(1, abs=1e-4)


def test_same_answer_every_time(session: Session, documents: list[list[int]]) -> None:
    first, _ = session.run([documents[0]], session.fresh())
    second, _ = session.run([documents[0]], session.fresh())
    np.testing.assert_array_equal(first, second)


def test_batch_equals_single(session: Session, documents: list[list[int]]) -> None:
    rows = [document[:6] for document in documents if len(document) >= 6][:5]
    together, _ = session.run(rows, session.fresh(len(rows)))
    for row, log_probs in zip(rows, together, strict=True):
        alone, _ = session.run([row], session.fresh())
        np.testing.assert_allclose(log_probs, alone[0], atol=INT8_NOISE)


def test_state_equals_full_recomputation(session: Session, documents: list[list[int]]) -> None:
    document = max(documents, key=len)
    state = session.fresh()
    for start, end in [(0, 1), (1, 2), (2, 5), (5, 12)]:
        stepped, state = session.run([document[start:end]], state)
        whole, _ = session.run([document[:end]], session.fresh())
        np.testing.assert_allclose(stepped, whole, atol=INT8_NOISE)


INT8_NOISE = 0.25
"""Activations in int8 are scaled by what else is in the tensor: batch and time move them."""


def test_float_graph_equals_the_trained_predictor(
    trained: Trained, documents: list[list[int]]
) -> None:
    assert trained.bundle.manifest.figures["parity_difference"] < PARITY_TOLERANCE
    exported = load(trained)
    assert largest_difference(trained.predictor, exported, documents, seed=5) < INT8_NOISE


def test_cached_answers_equal_fresh_ones(trained: Trained, documents: list[list[int]]) -> None:
    warm, tiny = load(trained), load(trained, cache_bytes=0)
    for document in documents[:5]:
        for end in range(1, len(document)):
            expected = tiny.log_probs(document[:end])
            np.testing.assert_allclose(warm.log_probs(document[:end]), expected, atol=INT8_NOISE)


def test_paths_equal_longer_contexts(trained: Trained, documents: list[list[int]]) -> None:
    predictor = load(trained)
    context = documents[0][:4]
    paths = [(7, 9), (10, 11), (7, 12)]
    together = predictor.log_probs_after(context, paths)
    for path, log_probs in zip(paths, together, strict=True):
        alone = load(trained).log_probs([*context, *path])
        np.testing.assert_allclose(log_probs, alone, atol=INT8_NOISE)


def test_context_longer_than_the_window_is_answered(trained: Trained) -> None:
    predictor = load(trained)
    context = [1, *([7, 8, 9] * 200)]
    log_probs = predictor.log_probs(context)
    assert np.exp(log_probs.astype(np.float64)).sum() == pytest.approx(1, abs=1e-4)
