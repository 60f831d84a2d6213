"""Files that a person hands to a command."""

import sys
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def read_bytes(path: Path, most: int) -> bytes:
    """What is in a file (``-``: standard input), or the first ``most`` bytes of it and one more."""
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(most + 1)
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}") from None


def read_model(path: Path, model: type[Model]) -> Model:
    """The JSON in a file (``-``: standard input) as a model; what is wrong with it is told field by field."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        return model.model_validate_json(text)
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        raise typer.BadParameter(f"{path} is no {model.__name__}: {told(error)}") from None


def told(error: ValidationError) -> str:
    """What is wrong, field by field; the first few."""
    return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'document'}: {p['msg']}" for p in error.errors()[:5])
