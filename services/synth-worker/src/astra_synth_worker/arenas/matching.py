"""A quick look whether an output holds an answer, to save a round with the env-server, whose word is the last."""

import json
import re
import unicodedata

from pydantic import JsonValue

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.]*\d)")


def holds(text: str, answer: JsonValue) -> bool:
    """Whether the text says the answer: numbers as numbers, words bounded by what is no word, lists and records whole.

    >>> holds("15 apples", 5), holds("it costs 1,250.0", 1250)
    (False, True)
    """
    if isinstance(answer, dict):
        return all(holds(text, value) for value in answer.values())
    if isinstance(answer, list):
        return all(holds(text, value) for value in answer)
    if isinstance(answer, bool) or answer is None:
        return _words(text, json.dumps(answer))
    if isinstance(answer, str) and not (number := _as_number(answer)):
        return _words(text, answer)
    wanted = answer if isinstance(answer, (int, float)) else number
    assert wanted is not None
    return any(abs(seen - wanted) <= 1e-6 * max(1.0, abs(wanted)) for seen in _numbers(text))


def _as_number(text: str) -> float | None:
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text.strip()) else None


def _numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in _NUMBER.findall(text)]


def _words(text: str, answer: str) -> bool:
    left = r"(?<!\w)" if re.match(r"\w", answer) and answer.isascii() else ""
    right = r"(?!\w)" if re.search(r"\w\Z", answer) and answer.isascii() else ""
    return re.search(left + re.escape(_plain(answer)) + right, _plain(text)) is not None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
