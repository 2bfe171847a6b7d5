"""Put a bundle together: choose the graph, record the self-test, write the card."""

import tempfile
from pathlib import Path

from export.card import model_card
from export.graph import choose_model
from nextword.bundle import (
    CARD,
    LEXICON,
    MODEL,
    TOKENIZER,
    Bundle,
    Manifest,
    SelfTest,
    Source,
    record_file,
    write_bundle,
)
from nextword.lexicon import Lexicon
from nextword.suggester import Suggester
from nextword.tokenizer import Tokenizer
from training.predictors import KINDS
from training.run import Run

SELF_TEST_TEXTS = (
    "",
    "I'll meet you at the",
    "thank you very",
    "how are",
    "do you want to go?\nyes, I would",
)
SELF_TEST_WORDS = 3
SELF_TEST_TOLERANCE = 0.01
"""Processors round differently; a wrong model is off by far more."""


def make_bundle(run: Run, path: Path, name: str, max_loss: float) -> Bundle:
    """Make the bundle of a run's predictor at ``path``; see choose_model for ``max_loss``.

    Raises RunError where the run is not trained to its end, BundleError where
    the bundle can't be written.
    """
    kind = run.config.predictor["kind"]
    trained = KINDS[kind].load(run)
    lexicon = Lexicon.read(run.file(LEXICON))
    tokenizer = Tokenizer(run.file(TOKENIZER), lexicon)
    graph = trained.graph()
    with tempfile.TemporaryDirectory() as folder:
        begin = tokenizer.special_ids.begin
        chosen = choose_model(trained, graph, run.sample(), begin, max_loss, Path(folder))
        model = record_file(chosen.model)
        manifest = Manifest(
            name=name,
            version=model.sha256[:12],
            kind=kind,
            language=run.config.text.language,
            vocabulary_size=tokenizer.vocabulary_size,
            context_length=graph.context_length,
            special_ids=tokenizer.special_ids,
            states=graph.states,
            attention=graph.attention,
            files={},
            sources=_sources(run),
            figures={
                **chosen.figures,
                "int8": float(chosen.model.name.startswith("int8")),
                "lexicon_forms": len(lexicon),
                "model_bytes": model.bytes,
            },
            self_test=(),
        )
        card = Path(folder) / CARD
        card.write_text(model_card(manifest, run.config), encoding="utf-8")
        files = {
            MODEL: chosen.model,
            TOKENIZER: run.file(TOKENIZER),
            LEXICON: run.file(LEXICON),
            CARD: card,
        }
        untested = write_bundle(Path(folder) / "untested", manifest, files)
        tests = _record_self_test(Suggester(untested))
        return write_bundle(path, manifest.model_copy(update={"self_test": tests}), files)


def _sources(run: Run) -> tuple[Source, ...]:
    return tuple(
        Source(
            name=source.name,
            license=source.license,
            origin=source.origin,
            words=words,
            weight=weight,
        )
        for source, words, weight in zip(
            run.config.text.sources, run.words(), run.source_weights().tolist(), strict=True
        )
        if weight > 0
    )


def _record_self_test(suggester: Suggester) -> tuple[SelfTest, ...]:
    tests = []
    for text in SELF_TEST_TEXTS:
        found = suggester.next_words(text, SELF_TEST_WORDS)
        tests.append(
            SelfTest(
                text=text,
                words=tuple(each.word for each in found),
                log_probabilities=tuple(each.log_prob for each in found),
                tolerance=SELF_TEST_TOLERANCE,
            )
        )
    return tuple(tests)
