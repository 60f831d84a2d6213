"""What names and descriptions speak of: verbs with their place in an order, and the things they act on."""

import re
from enum import IntEnum

_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_VOWEL = re.compile(r"[aeiouy]")


class Stage(IntEnum):
    """When in the life of a thing a tool acts on it."""

    SETUP = 0
    READ = 1
    CHANGE = 2
    END = 3


def stem(word: str) -> str:
    """A word without plural, tense and final e: enough to see that two names speak of one thing, no linguistics.

    >>> [stem(word) for word in ("tables", "queries", "branches", "staged", "staging", "status", "Shows")]
    ['tabl', 'query', 'branch', 'stag', 'stag', 'status', 'show']
    """
    word = word.lower()
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if len(word) > 5 and word.endswith(ending) and _VOWEL.search(word[: -len(ending)]):
            word = word[: -len(ending)]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def pieces(text: str) -> list[str]:
    """The stemmed words of a name or a sentence, in order.

    >>> pieces("getOrder_items2")
    ['get', 'order', 'item', '2']
    """
    return [stem(piece) for piece in _PIECE.findall(text)]


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


_VERBS = {
    Stage.SETUP: _stems(
        "create add init initialize setup start open connect login register new make put place insert append send "
        "upload import load generate build draft post clone write"
    ),
    Stage.READ: _stems(
        "list get read find search describe show fetch retrieve query view check count status log diff look lookup "
        "inspect browse select calculate convert compare"
    ),
    Stage.CHANGE: _stems(
        "update edit modify rename move archive capture refund merge commit restore reset set change replace "
        "checkout assign complete approve switch record unstage patch"
    ),
    Stage.END: _stems("delete remove cancel close destroy drop revoke stop disconnect logout terminate purge"),
}
_STAGE = {verb: stage for stage, verbs in _VERBS.items() for verb in verbs}
_ALSO_THINGS = _stems("commit log diff status record post merge refund draft patch query archive")
"""Verbs that name a thing as well, where no other word of the name does."""
_NO_THING = _stems(
    "a an and any all as at be by for from has have if in into is it its no not of on or per that the their this to "
    "via with id ids key name names type types value values data text string number list result results optional "
    "current specific given returns return use used using parameter parameters arg args input output one new true "
    "false null default max min limit count"
)


def stage_of(name: str, description: str) -> Stage | None:
    """The stage of a tool's verb: the first known one of its name, else the first word of its description."""
    verb = verb_of(name) or next((word for word in pieces(description)[:1] if word in _STAGE), None)
    return _STAGE[verb] if verb else None


def verb_of(name: str) -> str | None:
    """The first known verb in a tool's name."""
    return next((word for word in pieces(name) if word in _STAGE), None)


def things(text: str, *, but: str | None = None) -> frozenset[str]:
    """The words of a text that may name a thing: no fillers, no numbers, not the word ``but``."""
    return frozenset(w for w in pieces(text) if len(w) > 1 and w not in _NO_THING and w != but and not w.isdigit())


def things_named(name: str, namespace: str | None) -> frozenset[str]:
    """What a tool of this name acts on; ``namespace`` is a first word that all names of the server have."""
    verb = verb_of(name)
    found = things(name, but=verb) - {namespace}
    return found or (frozenset({verb}) if verb in _ALSO_THINGS else frozenset())
