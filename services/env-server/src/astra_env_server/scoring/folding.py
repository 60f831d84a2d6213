"""Text made comparable, and the numbers that stand in it."""

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal

_ALIKE = {ord(c): "-" for c in "‐‑‒–—―−﹣－"} | {ord(c): "'" for c in "‘’‛′`´"} | {ord(c): '"' for c in "“”„″"}
_POWER = re.compile(r"(?<=[0-9])(?=[⁰¹²³⁴⁵⁶⁷⁸⁹])")

_RUN = re.compile(r"[0-9](?:[0-9.,]*[0-9])?(?:e[+-]?[0-9]{1,3}(?![0-9]))?")
_PLAIN = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_WHOLE_NUMBER_TEXT = re.compile(r"([+-]?)((?:0|[1-9][0-9]*)(?:\.[0-9]+)?|[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?)")
_CURRENCIES = "$€£¥₹₩"
_MAX_DIGITS = 64


def fold(text: str) -> str:
    """The text with what does not matter taken out: width, case, kinds of dashes and quotes, runs of white space."""
    if text.isascii():
        return " ".join(text.replace("`", "'").casefold().split())
    marked = _POWER.sub("^", text)  # NFKC would make 10² into 102
    return " ".join(
        unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", marked).translate(_ALIKE).casefold()).split()
    )


def is_word(char: str) -> bool:
    """Whether a character beside a token makes it part of a longer one. Han, kana and hangul do not."""
    return char == "_" or (char.isalnum() and not _spaceless(ord(char)))


def _spaceless(code: int) -> bool:
    return 0x2E80 <= code <= 0x9FFF or 0xAC00 <= code <= 0xD7AF or 0xF900 <= code <= 0xFAFF or code >= 0x20000


def number_from(text: str) -> Decimal | None:
    """The number that a text is, as a whole, or None. Leading zeros (``007``) make an identifier, not a number."""
    found = _WHOLE_NUMBER_TEXT.fullmatch(fold(text)) if len(text) <= _MAX_DIGITS else None
    return Decimal(found[1] + found[2].replace(",", "")) if found else None


def numbers_in(folded: str) -> Iterator[Decimal]:
    """The numbers that stand as tokens in a folded text.

    Thousands separators are read; dates, ranges, versions and identifiers are no numbers.
    """
    for run in _RUN.finditer(folded):
        start, end = run.span()
        sign = _sign_before(folded, start)
        if sign is None or not _ends(folded, end):
            continue
        body = run[0]
        if len(body) > _MAX_DIGITS:
            continue
        if _PLAIN.fullmatch(body):
            yield Decimal(sign + body)
        elif _GROUPED.fullmatch(body):
            yield Decimal(sign + body.replace(",", ""))
        elif "." not in body and "e" not in body:  # "3,14,15": a list without spaces
            yield from (Decimal(part) for part in body.split(",") if _PLAIN.fullmatch(part))


def _sign_before(text: str, start: int) -> str | None:
    """``-`` or nothing if a number can begin here; None if what stands before makes it part of something else."""
    before = text[start - 1 : start]
    earlier = text[start - 2 : start - 1] if start > 1 else ""
    if not before:
        return ""
    if before in "-+":
        glued = is_word(earlier) or earlier in (")", "]", "}", ".", "-", "+") if earlier else False
        return None if glued else ("-" if before == "-" else "")
    if before in _CURRENCIES:
        return "-" if earlier == "-" else ""
    if before in "/:⁄" and earlier.isdigit():
        return None
    return None if is_word(before) or before in ".^" or (before == "," and earlier.isdigit()) else ""


def _ends(text: str, end: int) -> bool:
    after, later = text[end : end + 1], text[end + 1 : end + 2]
    if not after:
        return True
    return not (is_word(after) or after in "^⁄" or (after in "-/:" and later.isdigit()))
