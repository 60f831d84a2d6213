"""Every command teaches: it says what it does and shows an example."""

from collections.abc import Iterator

import click
import pytest
import typer
from astra.main import app
from typer.testing import CliRunner


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = list(commands(typer.main.get_command(app)))  # type: ignore[arg-type]


def test_all_nouns_have_commands() -> None:
    nouns = {path[0] for path, _ in ALL}
    assert nouns == {"up", "demo", "registry", "synth", "arena", "env", "train", "eval"}
    assert len(ALL) >= 25


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_help_says_what_and_shows_how(path: tuple[str, ...], command: click.Command) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert command.help
    shown = " ".join(("astra", *path))
    assert shown in command.help, f"the help of `{shown}` has no example"
    undocumented = [p.name for p in command.params if not getattr(p, "help", None)]
    assert not undocumented


def test_no_arguments_is_help() -> None:
    result = CliRunner().invoke(app, [])
    assert "astra demo" in result.output
    assert "Exit codes" in result.output
