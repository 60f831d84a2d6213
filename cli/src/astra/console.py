"""What people read and what machines read. What a service sent is text of strangers and is shown as such."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(highlight=False)
"""For results."""
err = Console(stderr=True, highlight=False)
"""For progress and complaints, so that results can be piped."""

# A terminal obeys control characters: none that a service sent reaches it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(value: Any, limit: int | None = None) -> str:
    """The value as text that cannot steer a terminal, cut to ``limit`` characters."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", "" if value is None else str(value))
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def say(text: Any, style: str = "", *, to: Console = out) -> None:
    """One line or paragraph, in which no markup is obeyed."""
    to.print(Text(plain(text), style=style), soft_wrap=not to.is_terminal)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "Nothing here yet."
) -> None:
    """A table for people; a sentence if there is nothing to show. Numbers stand to the right."""
    body = [list(row) for row in rows]
    if not body:
        say(empty, "dim")
        return
    grid = Table(
        title=plain(title),
        title_justify="left",
        header_style="bold",
        box=None,
        pad_edge=False,
        show_header=any(columns),
    )
    for index, column in enumerate(columns):
        number = all(isinstance(row[index], int | float) for row in body)
        grid.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=column == "id")
    for row in body:
        grid.add_row(*(Text(f"{cell:.3f}" if isinstance(cell, float) else plain(cell)) for cell in row))
    out.print(grid)


def emit(value: BaseModel) -> None:
    """One JSON document on one line."""
    typer.echo(value.model_dump_json())


def emit_all(values: Iterable[BaseModel]) -> None:
    """One JSON document a line."""
    for value in values:
        emit(value)
