"""Tokenizer: text to pieces, with the space as a suffix.

A piece says itself whether a word ends with it (``the▁`` does, ``key`` does
not), so a common word is one piece and its probability is one number.
"""

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from nextword.bundle import SpecialIds
from nextword.errors import BundleCorrupt
from nextword.lexicon import Lexicon
from nextword.text import encodable, split_words

WORD_END = "▁"

sentencepiece.set_min_log_level(2)  # its notes on loading a model are not for users


class Tokenizer:
    """Text to piece ids, as the predictors saw it in training."""

    def __init__(self, model: Path, lexicon: Lexicon) -> None:
        """Load ``tokenizer.model``. Raises BundleCorrupt where it is none."""
        try:
            proto = model.read_bytes()
            self._pieces = sentencepiece.SentencePieceProcessor(model_proto=proto)
            self._normalizer = sentencepiece.SentencePieceNormalizer(
                model_proto=proto,
                add_dummy_prefix=False,
                escape_whitespaces=False,
                remove_extra_whitespaces=True,
            )
        except (OSError, RuntimeError) as error:
            raise BundleCorrupt(f"{model}: is not a sentencepiece model") from error
        self._lexicon = lexicon
        self.vocabulary_size: int = self._pieces.get_piece_size()
        self.special_ids = SpecialIds(
            unknown=self._pieces.unk_id(),
            begin=self._pieces.bos_id(),
            end=self._pieces.eos_id(),
        )

    def piece(self, piece_id: int) -> str:
        """Return the text of a piece, its word end written ``▁``."""
        text: str = self._pieces.id_to_piece(piece_id)
        return text

    def normalize(self, message: str) -> str:
        """Return a message as the pieces see it: the baked-in rules applied."""
        text: str = self._normalizer.normalize(encodable(message))
        return text

    def words(self, message: str) -> list[str]:
        """Return the words and marks of one message, in the case that says something."""
        return self.cased(split_words(self.normalize(message)))

    def cased(self, words: Sequence[str]) -> list[str]:
        """Return a message's words and marks in the case that says something."""
        return self._lexicon.truecase(words)

    def encode_words(self, words: Sequence[str]) -> list[list[int]]:
        """Return the pieces of each of many words."""
        pieces: list[list[int]] = self._pieces.encode(list(words), num_threads=1)
        return pieces

    def encode_messages(self, messages: Sequence[Sequence[str]]) -> list[list[int]]:
        """Return the pieces of each of a few messages, given as its words and marks."""
        # One by one: for a list, sentencepiece starts a thread, which costs fifty messages.
        return [self._pieces.encode(" ".join(words)) for words in messages]

    def encode_context(self, messages: Sequence[Sequence[str]]) -> list[int]:
        """Return the pieces before the cursor: ``<s>``, the messages, ``</s>`` between them."""
        context = [self.special_ids.begin]
        for number, pieces in enumerate(self.encode_messages(messages)):
            if number:
                context.append(self.special_ids.end)
            context += pieces
        return context
