"""The one command a person types."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from astra_proto.errors import AstraError, Unauthorized, Unavailable
from pydantic import ValidationError

from astra import console
from astra.commands import arena, demo, env, evaluate_model, registry, synth, train, up
from astra.embedded.stack import StackError
from astra.files import told

HELP = """Real tools and questions in; checked environments and a trained agent out.

Begin with [bold]astra demo[/] (the whole road in a few minutes) or [bold]astra up[/] (the services, until Ctrl-C).
The other commands are thin clients: they find the services of `astra up` by themselves, or at the addresses in
ASTRA_TOOL_REGISTRY_URL, ASTRA_SYNTH_WORKER_URL, ASTRA_ENV_SERVER_URL and ASTRA_TRAINER_URL, with the token in
ASTRA_API_TOKEN.

Exit codes: 0 done · 1 refused or failed · 2 wrong usage · 3 a service does not answer · 130 interrupted.
"""

app = typer.Typer(
    name="astra",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(rich_help_panel="Run it")(demo.demo)
app.command(rich_help_panel="Run it")(up.up)
for module in (registry, synth, arena, env, train, evaluate_model):
    app.add_typer(module.app, rich_help_panel="Use the services")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("astra"))
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def _root(show_version: Version = False) -> None:
    pass


def main() -> None:
    """Run a command; an error is one sentence and what to do next."""
    try:
        app()
    except Unavailable as error:
        _fail(f"{error.detail}\nStart the services with `astra up`, or say where they are with --url.", 3)
    except Unauthorized as error:
        _fail(f"{error.detail}\nPut the services' token into ASTRA_API_TOKEN.", 1)
    except AstraError as error:
        _fail(error.detail, 1)
    except StackError as error:
        _fail(str(error), 1)
    except ValidationError as error:  # what was typed makes no request
        _fail(told(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); what is left to say has no one to hear it.
        sys.stderr.close()
        raise SystemExit(0) from None


def _fail(sentence: str, code: int) -> None:
    console.say(f"astra: {sentence}", "red", to=console.err)
    raise SystemExit(code)
