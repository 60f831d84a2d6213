"""What a world is: kinds of things, and kinds of tools that lead from one to another.

A world is data. The values in its tables are drawn anew for every seed (:mod:`.facts`), so what is true in one arena
is not true in the next, and nothing can be known without calling the tools.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Thing:
    """A kind of value: a name from the vocabulary, a code, or a whole number. Exactly one of the three is given."""

    noun: str
    """How a result is spoken of: "that {noun}"."""
    shown: str = "{}"
    """How a given value stands in a question."""
    names: str = ""
    """Category of the vocabulary."""
    code: str = ""
    """Pattern of a code: ``A`` is any letter, ``0`` any digit."""
    numbers: tuple[int, int] | None = None
    """Smallest and largest number."""


class Shape(StrEnum):
    """How a tool finds its answer."""

    LOOKUP = "lookup"
    """One key, one row."""
    SEARCH = "search"
    """Two keys, one row."""
    BEST = "best"
    """One key, several rows, of which the one that ranks highest."""
    TARIFF = "tariff"
    """A key that has a rate, and a quantity: ``rate * quantity + fee``."""
    SCALE = "scale"
    """Two numbers: ``first * (second + extra)``."""
    LINEAR = "linear"
    """One number: ``first * factor + fee``."""


@dataclass(frozen=True)
class Words:
    """What is said of a tool in one language. A slot such as ``{branch}`` stands for the argument."""

    description: str
    asks: tuple[str, ...]
    """Whole questions."""
    phrases: tuple[str, ...]
    """The result as a noun phrase, to be put into other questions."""


@dataclass(frozen=True)
class Kind:
    """A kind of tool: from things to one thing."""

    name: str
    shape: Shape
    needs: tuple[str, ...]
    """Things it takes; each is also the parameter's name. The first of a tariff is the key."""
    gives: str
    """Thing it returns; also the key of its output."""
    words: Words
    rank: str = ""
    """Column that decides, for the shape ``best``."""


@dataclass(frozen=True)
class Wording:
    """A world in another language."""

    openings: tuple[str, ...]
    things: Mapping[str, tuple[str, str]]
    """Thing to its noun and how a given value is shown."""
    kinds: Mapping[str, Words]


@dataclass(frozen=True)
class World:
    """A domain that the offline teacher knows."""

    name: str
    openings: tuple[str, ...]
    """Background, one sentence each."""
    things: Mapping[str, Thing]
    kinds: tuple[Kind, ...]
    translations: Mapping[str, Wording] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if missing := {*kind.needs, kind.gives} - set(self.things):
                raise ValueError(f"world {self.name}, tool {kind.name}: no such thing {sorted(missing)}")

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it can be told in."""
        return ("en", *self.translations)

    def words(self, kind: Kind, language: str) -> Words:
        """What is said of a tool in a language."""
        return kind.words if language == "en" else self.translations[language].kinds[kind.name]

    def noun(self, thing: str, language: str) -> str:
        """What a thing is called."""
        return self.things[thing].noun if language == "en" else self.translations[language].things[thing][0]

    def shown(self, thing: str, value: str | int, language: str) -> str:
        """A given value as it stands in a question."""
        pattern = self.things[thing].shown if language == "en" else self.translations[language].things[thing][1]
        return pattern.format(value)

    def opening_lines(self, language: str) -> tuple[str, ...]:
        """Background sentences in a language."""
        return self.openings if language == "en" else self.translations[language].openings
