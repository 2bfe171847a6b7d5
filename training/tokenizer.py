"""Lexicon and tokenizer, both from the counts of words alone.

Pieces never cross a word's end, so a list of words with their counts tells
sentencepiece all that the text would, in seconds instead of minutes.
"""

import re
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import sentencepiece

from nextword.errors import ConfigError
from nextword.lexicon import Lexicon
from nextword.text import PLACEHOLDERS, capitalize, fold, is_word, normalization_rules
from nextword.tokenizer import WORD_END
from training.config import LexiconConfig, TokenizerConfig
from training.corpus import WordCounts

ONE_FORM = 0.75
"""A word that is written one way at least this often has only that form."""

MIN_SHARE = 0.05
"""Forms rarer than this share of a word are slips of the shift key."""


def build_lexicon(counts: WordCounts, config: LexiconConfig) -> Lexicon:
    """Return the words written at least ``min_count`` times, in the forms they are written in.

    How a word is written is judged inside sentences; where a word only ever
    starts one, its capital says nothing and it is lowered.
    """
    totals: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for word, count in counts.starting.items():
        totals[fold(word)] += count
    for word, count in counts.inside.items():
        totals[fold(word)] += count
        if count > 0:
            forms[fold(word)][word] += count
    entries = []
    for folded, total in totals.most_common(config.max_words):
        if total < config.min_count:
            break
        if is_word(folded):
            entries += _written_forms(folded, total, forms[folded])
    return Lexicon(entries)


def _written_forms(folded: str, total: int, forms: Counter[str]) -> list[tuple[str, int]]:
    """Return a word's forms, its ``total`` shared out among them."""
    if not forms:
        return [(folded, total)]
    seen = forms.total()
    commonest, count = forms.most_common(1)[0]
    if count >= ONE_FORM * seen:
        return [(commonest, total)]
    usual = (folded, capitalize(folded), folded.upper(), commonest)
    kept = {form: forms[form] for form in usual if forms[form] >= MIN_SHARE * seen}
    return [(form, max(1, total * count // sum(kept.values()))) for form, count in kept.items()]


def count_cased(counts: WordCounts, lexicon: Lexicon) -> Counter[str]:
    """Return how often each word and mark occurs once its case says something."""
    cased: Counter[str] = Counter()
    for word, count in counts.starting.items():
        cased[lexicon.truecase([word])[0]] += count
    for word, count in counts.inside.items():
        cased[lexicon.truecase([",", word])[1]] += count
    return cased


def train_tokenizer(words: Counter[str], config: TokenizerConfig, path: Path) -> None:
    """Write a unigram sentencepiece model (Kudo 2018) of these words to ``path``.

    Raises ConfigError where the words can't give so large a vocabulary.
    """
    with tempfile.TemporaryDirectory() as folder:
        table, rules = Path(folder) / "words.tsv", Path(folder) / "rules.tsv"
        table.write_text(
            "".join(
                f"{word}\t{count}\n" for word, count in words.most_common(config.words) if count > 0
            ),
            encoding="utf-8",
        )
        rules.write_text(_rules_table(), encoding="utf-8")
        try:
            sentencepiece.SentencePieceTrainer.train(
                input=str(table),
                input_format="tsv",
                model_prefix=str(Path(folder) / "tokenizer"),
                model_type="unigram",
                vocab_size=config.vocabulary_size,
                character_coverage=config.character_coverage,
                treat_whitespace_as_suffix=True,
                split_by_unicode_script=False,
                split_by_number=False,
                user_defined_symbols=[placeholder + WORD_END for placeholder in PLACEHOLDERS],
                normalization_rule_tsv=str(rules),
                num_threads=1,  # more would make the result depend on their timing
                minloglevel=2,
            )
        except RuntimeError as error:
            raise ConfigError(_explain(str(error), config)) from error
        (Path(folder) / "tokenizer.model").replace(path)


def _rules_table() -> str:
    """Return the normalisation rules as sentencepiece reads them: code points in hex."""

    def points(text: str) -> str:
        return " ".join(f"{ord(character):X}" for character in text)

    return "".join(f"{points(old)}\t{points(new)}\n" for old, new in normalization_rules().items())


def _explain(message: str, config: TokenizerConfig) -> str:
    limit = re.search(r"<= (\d+)", message)
    remedy = f"set it to {limit[1]} or less" if limit else "choose another"
    return (
        f"text.tokenizer.vocabulary_size: {config.vocabulary_size} pieces are not to be had "
        f"from this text; {remedy}, or give more text"
    )
