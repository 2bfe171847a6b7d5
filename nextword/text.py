"""Text: the one definition of normalisation, messages, words and the partial word.

Training and serving both read text through this module, so they can't drift
apart. Text is first normalised (by the rules below, which training bakes into
``tokenizer.model``), then cut into words: what stands between spaces, with
punctuation standing alone, and with placeholders for what is nobody's
vocabulary (addresses, long numbers, @names).
"""

import sys
import unicodedata
from collections.abc import Sequence

import regex

PLACEHOLDERS = ("<url>", "<email>", "<phone>", "<number>", "<name>", "@user")

_PLAIN = str.maketrans("‘’‚‛′´“”„‟″«»‐‑‒–—―−", "'" * 6 + '"' * 7 + "-" * 7)

_WORD = r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:['-][\p{L}\p{N}][\p{L}\p{M}\p{N}]*)*"

# A cheap look first: most messages hold nothing that a placeholder stands for.
_MAY_HOLD_PRIVATE = regex.compile(r"@|://|www\.|\d[\d ().-]{5}")
_PRIVATE = regex.compile(
    r"""
      (?P<email> [\w.+-]+@[\w-]+(?:\.[\w-]+)+ )
    | (?P<url> (?:https?://|www\.)\S*[^\s.,!?)\]'"] )
    | (?P<user> (?<![\w@])@\w+ )
    | (?P<number> \+?\d(?:[ ().-]{0,2}\d){6,} )
    """,
    regex.VERBOSE,
)
_PLACEHOLDER_FOR = {"email": "<email>", "url": "<url>", "user": "@user", "number": "<number>"}

_TOKEN = regex.compile(
    rf"""
      \p{{L}}(?:\.\p{{L}})+(?![\p{{L}}\p{{N}}])\.?          # U.S., e.g., p.m.
    | {_WORD}(?:[.,:/]\d+)*                                 # words and numbers such as 10:30
    | <(?:url|email|phone|number|name)> | @user\b           # placeholders
    | [:;=][-']?[()DPpO/\\|\]\[*] | <3 | \.{{2,}} | [!?]+   # emoticons and runs of marks
    | \p{{Extended_Pictographic}} | \S
    """,
    regex.VERBOSE,
)

# Raw text: apostrophes may still be curly, and invisible characters in the way.
_PARTIAL = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}])[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}\p{Cf}]|['’-](?![-'’]))*\Z"
)
_LETTER = regex.compile(r"\p{L}")
_CLOSING = frozenset(".!?。؟")
_OPENERS = frozenset("\"'([{*_-")
_LINE_BREAK = regex.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def normalization_rules() -> dict[str, str]:
    """Return what each character, or pair, is rewritten to before anything reads the text.

    NFKC for single characters and for letter + combining mark; straight
    quotes, plain dashes and spaces; control, format and zero-width characters
    vanish. Line breaks part messages before this, and NUL can't be in a rule.
    """
    rules: dict[str, str] = {}
    for code in range(1, sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        if category in ("Cs", "Co", "Cn"):
            continue
        target = _normalize_character(character, category)
        if target != character:
            rules[character] = target
        pair = unicodedata.decomposition(character)
        if pair and not pair.startswith("<") and " " in pair:
            parts = "".join(chr(int(part, 16)) for part in pair.split())
            if unicodedata.normalize("NFC", parts) == character:
                rules[parts] = target
    return rules


def _normalize_character(character: str, category: str) -> str:
    if category in ("Cc", "Cf") or 0xFE00 <= ord(character) <= 0xFE0F:
        return " " if character in "\t\n\v\f\r\x85" else ""
    if category.startswith("Z"):
        return " "
    return unicodedata.normalize("NFKC", character.translate(_PLAIN)).translate(_PLAIN)


def encodable(text: str) -> str:
    """Return ``text`` without what no normaliser takes: half surrogate pairs and NUL."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def split_messages(text: str) -> list[str]:
    """Return the messages of ``text``: what its line breaks part. The last one is being typed."""
    messages: list[str] = _LINE_BREAK.split(text)
    return messages


def recent(text: str, size: int) -> str:
    """Return the end of a long text, at least ``size`` characters of it.

    The cut moves on in steps of ``size``, so that it stays where it is while
    the text grows by letters.
    """
    if len(text) < 2 * size:
        return text
    return text[len(text) // size * size - size :]


def split_partial(message: str) -> tuple[str, str]:
    """Split a message into what is finished and the word still being typed.

    The partial word is empty unless the message ends in a letter, or in an
    apostrophe or hyphen after one.
    """
    match = _PARTIAL.search(message)
    if match is None or not _LETTER.search(match.group()):
        return message, ""
    if message[-1].isdigit():
        return message, ""
    return message[: match.start()], match.group()


def split_words(text: str) -> list[str]:
    """Return the words and marks of normalised text, placeholders put in."""
    if _MAY_HOLD_PRIVATE.search(text):
        text = _PRIVATE.sub(lambda match: f" {_PLACEHOLDER_FOR[match.lastgroup or '']} ", text)
    tokens: list[str] = _TOKEN.findall(text)
    return tokens


def is_word(token: str) -> bool:
    """Whether a token of ``split_words`` is a word (has a letter, is no placeholder)."""
    return _LETTER.search(token) is not None and token not in PLACEHOLDERS


def sentence_starts(tokens: Sequence[str]) -> list[int]:
    """Return the positions in a message at which a sentence starts.

    One does at the message's start and after a closing mark; opening marks in
    between don't matter. An ellipsis closes nothing: people write on after it.
    The last position may be ``len(tokens)``: a sentence starts with what comes next.
    """
    positions = []
    expecting = True
    for position, token in enumerate(tokens):
        if token[0] in _CLOSING and not token.startswith(".."):
            expecting = True
        elif expecting and token not in _OPENERS:
            positions.append(position)
            expecting = False
    if expecting:
        positions.append(len(tokens))
    return positions


def is_shouted(tokens: Sequence[str]) -> bool:
    """Whether a message is all capitals: then its case says nothing."""
    return len(tokens) > 1 and "".join(tokens).isupper()


def fold(word: str) -> str:
    """Return the form in which words are compared: without case."""
    return word.casefold()


def match_case(word: str, typed: str) -> str:
    """Return ``word`` in the case in which its typist began it: ``Th``, ``TH``.

    Lower case typed is no demand: ``i'm`` still becomes ``I'm``, ``john`` ``John``.
    """
    letters = [character for character in typed if character.isalpha()]
    if not letters or not letters[0].isupper():
        return word
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return word.upper()
    return capitalize(word)


def capitalize(word: str) -> str:
    """Return ``word`` with its first letter in upper case, the rest as it is."""
    return word[:1].upper() + word[1:]
