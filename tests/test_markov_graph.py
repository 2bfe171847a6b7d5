from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import kenlm
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.ngram_texts import no_deadline, small_model, small_text
from training import perfect_hash
from training.arpa import read_arpa, write_arpa
from training.config import TrainingConfig
from training.ngrams import BEGIN, END
from training.predictors.markov import NGRAMS, Markov, MarkovConfig
from training.run import Run
from training.text import Pieces, PreparedText

PRUNES = [(0,), (0, 0), (0, 0, 0), (0, 0, 1, 1), (0, 0, 0, 0, 0, 0)]
VOCABULARY = len(small_text()[1])

words = st.one_of(st.integers(0, VOCABULARY - 1), st.integers(0, 12))
contexts = st.lists(words, max_size=9).map(lambda tail: [BEGIN, *tail])


class Session:
    """Runs a predictor's graph as the runtime does."""

    def __init__(self, predictor: Markov) -> None:
        graph = predictor.graph()
        onnx.checker.check_model(graph.model, full_check=True)
        self._session = onnxruntime.InferenceSession(
            graph.model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (state,) = graph.states
        self._width, self._fill = cast(int, state.shape[1]), int(state.fill)

    def fresh(self, batch: int) -> NDArray[np.int64]:
        return np.full((batch, self._width), self._fill, dtype=np.int64)

    def step(
        self, tokens: Sequence[Sequence[int]], state: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        inputs = {"tokens": np.array(tokens, dtype=np.int64), "recent": state}
        log_probs, state = self._session.run(["log_probs", "recent_next"], inputs)
        return log_probs, state

    def log_probs(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return self.step(tokens, self.fresh(len(tokens)))[0]


@pytest.fixture(scope="module")
def sessions() -> dict[tuple[int, ...], Session]:
    return {prune: Session(Markov(small_model(prune))) for prune in PRUNES}


@pytest.mark.parametrize("prune", PRUNES)
@no_deadline
@given(context=contexts)
def test_the_graph_says_what_the_tables_say(
    sessions: dict[tuple[int, ...], Session], prune: tuple[int, ...], context: list[int]
) -> None:
    found = sessions[prune].log_probs([context])
    np.testing.assert_allclose(found, Markov(small_model(prune)).log_probs([context]), rtol=1e-5)
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("prune", PRUNES)
def test_every_place_of_the_text_is_found(
    sessions: dict[tuple[int, ...], Session], prune: tuple[int, ...]
) -> None:
    sentences, _ = small_text()
    windows = np.lib.stride_tricks.sliding_window_view(sentences[:400], 7)
    found = sessions[prune].log_probs(windows.tolist())
    wanted = Markov(small_model(prune)).log_probs(windows.tolist())
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@no_deadline
@given(st.lists(st.lists(words, min_size=4, max_size=4), min_size=1, max_size=6))
def test_a_batch_gives_what_its_lines_give(
    sessions: dict[tuple[int, ...], Session], batch: list[list[int]]
) -> None:
    session = sessions[0, 0, 1, 1]
    single = np.concatenate([session.log_probs([line]) for line in batch])
    assert np.array_equal(session.log_probs(batch), single)


@pytest.mark.parametrize("prune", PRUNES)
@no_deadline
@given(context=contexts, data=st.data())
def test_going_on_from_a_state_gives_what_the_whole_gives(
    sessions: dict[tuple[int, ...], Session],
    prune: tuple[int, ...],
    context: list[int],
    data: st.DataObject,
) -> None:
    session = sessions[prune]
    state, rest = session.fresh(1), context
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        log_probs, state = session.step([rest[:length]], state)
        rest = rest[length:]
    assert np.array_equal(log_probs, session.log_probs([context]))


def test_a_sentence_begins_after_an_end(sessions: dict[tuple[int, ...], Session]) -> None:
    session = sessions[0, 0, 1, 1]
    after_end = session.log_probs([[BEGIN, 5, 6, END]])
    assert np.array_equal(after_end, session.log_probs([[BEGIN]]))


def test_the_graph_says_what_kenlm_says(
    sessions: dict[tuple[int, ...], Session], tmp_path: Path
) -> None:
    prune = (0, 0, 1, 1)
    sentences, vocabulary = small_text()
    write_arpa(tmp_path / "model.arpa", small_model(prune), vocabulary)
    reader = kenlm.Model(str(tmp_path / "model.arpa"))
    random = np.random.default_rng(1)
    for _ in range(60):
        start, length = random.integers(len(sentences) - 8), random.integers(7)
        tail = sentences[start : start + length].tolist()
        tail = [0 if word in (BEGIN, END) or random.random() < 0.1 else word for word in tail]
        state = kenlm.State()
        reader.BeginSentenceWrite(state)
        for word in tail:
            after = kenlm.State()
            reader.BaseScore(state, vocabulary[word], after)
            state = after
        wanted = [reader.BaseScore(state, word, kenlm.State()) for word in vocabulary]
        found = sessions[prune].log_probs([[BEGIN, *tail]])[0] / np.log(10)
        predicted = np.arange(len(vocabulary)) != BEGIN
        np.testing.assert_allclose(found[predicted], np.array(wanted)[predicted], atol=1e-5)


def test_a_context_whose_shorter_ones_are_missing_is_found(tmp_path: Path) -> None:
    # "a b c" stands without "b c": the way to the context "a b" from "b" has a gap to bridge.
    path = tmp_path / "model.arpa"
    path.write_text(
        "\\data\\\nngram 1=6\nngram 2=2\nngram 3=2\nngram 4=1\n\n\\1-grams:\n"
        "-1\t<unk>\n-99\t<s>\n-0.5\t</s>\n-0.5\ta\t-0.25\n-1\tb\t-0.125\n-1\tc\n\n"
        "\\2-grams:\n-0.5\ta b\t-0.0625\n-0.25\tc a\n\n"
        "\\3-grams:\n-0.125\ta b c\n-0.375\tc a b\t-0.5\n\n"
        "\\4-grams:\n-0.75\tc a b b\n\n\\end\\\n"
    )
    predictor = Markov(read_arpa(path, ["<unk>", "<s>", "</s>", "a", "b", "c"]))
    session = Session(predictor)
    ids = range(6)
    every = [[BEGIN, *tail] for tail in np.ndindex(6, 6, 6) if all(word in ids for word in tail)]
    np.testing.assert_allclose(session.log_probs(every), predictor.log_probs(every), rtol=1e-5)
    assert session.log_probs([[BEGIN, 5, 3, 4]])[0, 4] == pytest.approx(-0.75 * np.log(10))


@no_deadline
@given(st.sets(st.tuples(*[st.integers(0, 65536)] * 3), max_size=200))
def test_every_key_has_a_slot_of_its_own(keys: set[tuple[int, ...]]) -> None:
    rows = np.array(sorted(keys), dtype=np.int64).reshape(-1, 3)
    table = perfect_hash.build(rows)
    slots = table.slots(rows)
    assert len(set(slots.tolist())) == len(keys)
    assert ((slots >= 0) & (slots < table.size)).all()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    source = {"name": "chat", "files": ["chat.txt"]}
    table = {"name": "small", "text": {"sources": [source]}, "predictor": {"kind": "markov"}}
    return Run.start(tmp_path / "small", TrainingConfig.model_validate(table))


def test_training_leaves_a_model_and_takes_it_again(run: Run) -> None:
    text = prepared()
    trained = Markov.train(MarkovConfig(order=3), text, run)
    assert 1 < run.metrics()["perplexity"] < VOCABULARY
    assert 0 < run.metrics()["top3"] < 1
    contexts = [[BEGIN, 5], [BEGIN, 5, END, 6]]
    log_probs = trained.log_probs(contexts)
    assert np.array_equal(Markov.load(run).log_probs(contexts), log_probs)

    written = run.file(NGRAMS).stat().st_mtime_ns
    again = Markov.train(MarkovConfig(order=3), text, run)
    assert run.file(NGRAMS).stat().st_mtime_ns == written
    assert np.array_equal(again.log_probs(contexts), log_probs)


@pytest.mark.parametrize(
    ("order", "thresholds"), [(5, (0, 0, 1, 1, 2)), (3, (0, 0, 1)), (7, (0, 0, 1, 1, 2, 2, 2))]
)
def test_thresholds_fit_the_order(order: int, thresholds: tuple[int, ...]) -> None:
    assert MarkovConfig(order=order).thresholds == thresholds


@pytest.mark.parametrize(
    ("prune", "message"),
    [((1, 1), "all stay"), ((), "all stay"), ((0, 2, 1), "can't decrease"), ((0,) * 6, "5 orders")],
)
def test_wrong_thresholds_are_refused(prune: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MarkovConfig(order=5, prune=prune)


def prepared() -> PreparedText:
    """Return the small text as if it had been prepared."""
    sentences, _ = small_text()
    pieces = Pieces(sentences, np.array([0, len(sentences)]), np.array([0], dtype=np.uint8))
    tokenizer = SimpleNamespace(vocabulary_size=VOCABULARY)
    return cast(PreparedText, SimpleNamespace(train=pieces, validation=pieces, tokenizer=tokenizer))
