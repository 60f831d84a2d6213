"""What a tool server is given: an allowed command, a fresh folder, a minimal environment."""

import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from astra_proto.errors import Invalid, Unavailable
from astra_proto.tools import StdioLaunch

from astra_tool_registry.settings import Settings

_CHOOSES_CODE = re.compile(
    r"^(PATH|HOME|TMPDIR|SHELL|IFS|BASH_ENV|ENV|LD_.*|DYLD_.*|PYTHON.*|NODE_.*|UV_.*|PIP_.*|NPM_.*|GIT_(?!AUTHOR_|COMMITTER_).*)$",
    re.IGNORECASE,
)
"""Variables with which a server could be made to run other code than the allowed command's."""


@dataclass(frozen=True)
class Prepared:
    """A launch made ready: everything a process needs to start."""

    workdir: Path
    setup: list[list[str]]
    command: list[str]
    env: dict[str, str]


def check_launch(launch: StdioLaunch, settings: Settings) -> None:
    """Refuse what the settings do not allow.

    Raises: Invalid, naming the field.
    """
    allowed = settings.allowed_commands
    lines = [("launch.command", launch.command)]
    lines += [(f"launch.setup[{i}]", line[0]) for i, line in enumerate(launch.setup)]
    for field, command in lines:
        if command not in allowed or "/" in command:
            raise Invalid(
                f"{field}: {command[:100]!r} is not allowed here. Allowed are {allowed}; "
                "ASTRA_TOOL_REGISTRY_ALLOWED_COMMANDS sets the list"
            )
    if refused := [name for name in launch.env if _CHOOSES_CODE.match(name)]:
        raise Invalid(f"launch.env: {refused} may not be set, for they choose what code runs: leave them out")


def search_path() -> str:
    """Where commands are looked for: beside this Python first, where `uvx` was installed with this service."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def prepare(launch: StdioLaunch, settings: Settings, *, offline: bool) -> Prepared:
    """Make the fresh folder, write its files, fill in its path, and put the environment together.

    ``offline`` keeps ``uvx`` and ``npx`` to what they already have.

    Raises: Unavailable if the command is not installed.
    """
    search = search_path()
    for name in {launch.command, *(line[0] for line in launch.setup)}:
        if shutil.which(name, path=search) is None:
            raise Unavailable(f"{name!r} is not installed where the tool registry runs: install it there")
    if settings.workdir_root:
        settings.workdir_root.mkdir(parents=True, exist_ok=True)
    workdir = Path(tempfile.mkdtemp(prefix="astra-tools-", dir=settings.workdir_root)).resolve()
    try:
        (workdir / ".home").mkdir()
        for name, text in launch.files.items():
            path = workdir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(workdir, ignore_errors=True)
        raise Invalid(f"launch.files: cannot be written as they are: {error.strerror}") from error

    def fill(text: str) -> str:
        return text.replace("{workdir}", str(workdir))

    return Prepared(
        workdir=workdir,
        setup=[[fill(word) for word in line] for line in launch.setup],
        command=[launch.command, *map(fill, launch.args)],
        env=_environment(settings, workdir, search, offline=offline) | {k: fill(v) for k, v in launch.env.items()},
    )


def _own_python() -> str:
    """The interpreter below any virtual environment: `uvx` then downloads none, and builds on none of our packages."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def _environment(settings: Settings, workdir: Path, search: str, *, offline: bool) -> dict[str, str]:
    home = str(workdir / ".home")
    passed = {name: os.environ[name] for name in settings.passed_env if name in os.environ}
    kept = {"UV_OFFLINE": "1", "npm_config_offline": "true"} if offline else {}
    own = {
        "PATH": search,
        "HOME": home,
        "TMPDIR": home,
        "UV_CACHE_DIR": str(settings.uv_cache_dir.expanduser().absolute()),
        "UV_PYTHON": _own_python(),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "npm_config_cache": str(settings.npm_cache_dir.expanduser().absolute()),
        "npm_config_update_notifier": "false",
        "npm_config_yes": "true",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
    }
    return passed | kept | own
