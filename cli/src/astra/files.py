"""Files that a person hands to a command."""

import sys
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def read_model(path: Path, model: type[Model]) -> Model:
    """The JSON in a file (``-``: standard input) as a model; what is wrong with it is told field by field."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        return model.model_validate_json(text)
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'document'}: {p['msg']}" for p in error.errors()[:5])
        raise typer.BadParameter(f"{path} is no {model.__name__}: {told}") from None
