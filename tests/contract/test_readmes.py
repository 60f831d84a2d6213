"""The tables of routes and settings in each service's README are what the code says."""

import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from astra_service.app import routes
from fastapi import FastAPI
from pydantic_core import PydanticUndefined

UPDATE = bool(os.environ.get("UPDATE_SPECS"))


def between(text: str, mark: str, fresh: str) -> str:
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.S)
    assert pattern.search(text), f"the README has no <!-- {mark} --> … <!-- /{mark} -->"
    return pattern.sub(lambda m: m[1] + fresh + m[2], text)


def routes_table(app: FastAPI) -> str:
    lines = [f"| `{method} {path}` | {summary} |" for method, path, summary in routes(app)]
    return "\n".join(["", "| route | what it does |", "|---|---|", *lines, "", ""])


def settings_table(service: str) -> str:
    settings = import_module(f"astra_{service.replace('-', '_')}.settings").Settings
    prefix, lines = settings.model_config["env_prefix"], []
    for name, field in settings.model_fields.items():
        assert field.description, f"{service}: the setting {name} has no docstring"
        default = field.get_default(call_default_factory=True)
        shown = "required" if default is PydanticUndefined else "" if default is None else f"`{default}`"
        lines.append(f"| `{prefix}{name.upper()}` | {shown} | {' '.join(field.description.split())} |")
    return "\n".join(["", "| setting | default | what it does |", "|---|---|---|", *lines, "", ""])


def roles_table() -> str:
    from astra_env_server.access.roles import RULES
    from astra_proto.access import Role

    lines = [
        f"| `{method} {path}` | {' | '.join('yes' if role.rank >= least.rank else '' for role in Role)} |"
        for (method, path), least in sorted(RULES.items(), key=lambda rule: (rule[1].rank, rule[0][1], rule[0][0]))
    ]
    return "\n".join(["", f"| route | {' | '.join(Role)} |", "|---" * 5 + "|", *lines, "", ""])


def test_readme_tables_are_current(service: str, make_app: Callable[..., FastAPI], repository: Path) -> None:
    path = repository / "services" / service / "README.md"
    text = path.read_text()
    fresh = between(text, "routes", routes_table(make_app(service)))
    fresh = between(fresh, "settings", settings_table(service))
    if service == "env-server":
        fresh = between(fresh, "roles", roles_table())
    if UPDATE:
        path.write_text(fresh)
    assert path.read_text() == fresh, f"{service}/README.md is not what the code says: run `make specs`"
