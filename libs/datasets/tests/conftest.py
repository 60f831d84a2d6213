"""Arenas to make data of."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from astra_datasets.search import Run
from astra_proto.arenas import Arena, ArenaSpec
from astra_proto.soundness import Check, SoundnessReport

EXAMPLE = Path(__file__).parents[3] / "services" / "env-server" / "examples" / "library.json"


@pytest.fixture
def library() -> ArenaSpec:
    """Two sub-tasks, the second needs the first; a distractor; a final answer."""
    return ArenaSpec.model_validate_json(EXAMPLE.read_bytes())


@pytest.fixture
def wages() -> ArenaSpec:
    """One tool that is asked twice; in Chinese; the answers are a number with tolerance and a list."""
    code = (
        "WAGES = {'张三': [4100.5, 4200.25], '李四': [3900.0, 4000.0]}\n\n"
        "def wages(name, month):\n    if name not in WAGES:\n        return {'error': 'unknown'}\n"
        "    return {'month': month, 'wage': WAGES[name][month - 1], 'names': sorted(WAGES)[:month]}\n"
    )
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "month": {"type": "integer", "minimum": 1, "maximum": 2}},
        "required": ["name", "month"],
    }

    def task(number: int, name: str, month: int, value: object, tolerance: float = 0.0) -> dict[str, object]:
        call = {"name": "wages", "arguments": {"name": name, "month": month}}
        answer = {"value": value, "tolerance": tolerance}
        return {"id": number, "question": f"{name} {month}月?", "tool": "wages", "answer": answer, "golden_call": call}

    return ArenaSpec.model_validate(
        {
            "domain": "payroll",
            "language": "zh",
            "topology": "parallel_single_hop",
            "split": "validation",
            "prompt": "张三第1个月和李四第2个月的工资各是多少?",
            "tools": [{"name": "wages", "description": "查工资。", "parameters": schema, "code": code}],
            "subtasks": [task(3, "张三", 1, 4100.5, 0.01), task(7, "李四", 2, 4000)],
            "provenance": {"teacher": "test", "seed": 5, "tries": 2},
        }
    )


@pytest.fixture
def arenas(library: ArenaSpec, wages: ArenaSpec) -> list[Arena]:
    """Both, published."""
    checks = [Check(name=name, passed=True, detail="It earns 1.0.") for name in ("oracle", "null_agent")]
    report = SoundnessReport(sound=True, oracle_reward=1.0, checks=checks, gate=2)
    return [Arena(id=spec.id(), spec=spec, soundness=report) for spec in (library, wages)]


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs tools without a sandbox: those of these tests are ours."""

    async def call(code: str, name: str, calls: Sequence[dict[str, Any]]) -> list[str | None]:
        space: dict[str, Any] = {}
        exec(code, space)
        return [_said(space[name], arguments) for arguments in calls]

    return call


def _said(function: Any, arguments: dict[str, Any]) -> str | None:
    try:
        value = function(**arguments)
    except Exception:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
