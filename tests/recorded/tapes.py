"""The recordings, and what their model meant."""

import json
from pathlib import Path
from typing import Any

from astra_proto.arenas import ArenaSpec

CASSETTES = Path(__file__).parents[2] / "services" / "synth-worker" / "tests" / "cassettes"
ARENAS = tuple(sorted(path.name.removesuffix(".job.json") for path in CASSETTES.glob("arena_*.job.json")))


def tape(name: str) -> Path:
    """The replies of a recording."""
    return CASSETTES / f"{name}.jsonl"


def recorded(name: str) -> Any:
    """The job of a recording, and what came of it."""
    return json.loads((CASSETTES / f"{name}.job.json").read_text(encoding="utf-8"))


def is_meant(spec: ArenaSpec, name: str) -> bool:
    """Whether an arena asks and answers what the first trace of a recording does."""
    lines = map(json.loads, tape(name).read_text(encoding="utf-8").splitlines())
    trace = json.loads(next(line["content"] for line in lines if line["prompt"] == "qa_trace"))
    question = recorded(name)["payload"].get("question") or trace["question"]
    answers = {sub["id"]: sub["answer"] for sub in trace["subquestions"]}
    found = {task.id: task.answer.value for task in spec.subtasks}
    return spec.prompt.endswith(question) and found == {i: answers.get(i) for i in found}
