"""The model card: what a bundle is, where it came from, how good it is."""

import json

from nextword.bundle import Manifest
from training.config import TrainingConfig


def model_card(manifest: Manifest, config: TrainingConfig) -> str:
    """Return the bundle's README.md."""
    return "\n".join(
        [
            f"# {manifest.name}",
            "",
            f"A next-word predictor of the kind `{manifest.kind}`, language `{manifest.language}`, "
            f"version `{manifest.version}`, for [Nextword](../../README.md).",
            "",
            f"- vocabulary: {manifest.vocabulary_size:,} pieces; looks back on at most "
            f"{manifest.context_length} of them",
            f"- suggests: {manifest.figures['lexicon_forms']:,.0f} written forms of words",
            f"- size of the model file: {manifest.figures['model_bytes'] / 1e6:.1f} MB",
            "",
            "## Figures",
            "",
            "Over pieces (not words: see the benchmarks) of text that was held out of training.",
            "",
            "| | perplexity | top-3 | largest difference in log-probability from the original |",
            "|---|---|---|---|",
            *_precision_rows(manifest.figures),
            "",
            f"The model file holds {_held_precision(manifest.figures)}.",
            "",
            "## Training text",
            "",
            "| source | words and marks | weight | licence, as stated | origin |",
            "|---|---:|---:|---|---|",
            *(
                f"| {source.name} | {source.words:,} | {source.weight:g} | {source.license} "
                f"| {source.origin} |"
                for source in manifest.sources
            ),
            "",
            "Weight: passes over the source in one epoch. "
            "Share-alike texts stay under their licence.",
            "",
            "## How it was made",
            "",
            "```json",
            json.dumps(
                {
                    "predictor": config.predictor,
                    "tokenizer": config.text.tokenizer.model_dump(),
                    "seed": config.seed,
                },
                indent=2,
            ),
            "```",
            "",
        ]
    )


def _precision_rows(figures: dict[str, float]) -> list[str]:
    rows = []
    for precision, difference in (("float32", "parity_difference"), ("int8", "int8_difference")):
        if f"perplexity_{precision}" in figures:
            rows.append(
                f"| {precision} | {figures[f'perplexity_{precision}']:.2f} | "
                f"{100 * figures[f'top3_{precision}']:.1f} % | {figures[difference]:.2g} |"
            )
    return rows


def _held_precision(figures: dict[str, float]) -> str:
    return "int8 weights" if figures["int8"] else "its figures in full precision"
