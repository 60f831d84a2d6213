"""Recordings of a model's replies: one JSON line per request, found by what was asked."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from astra_proto.ids import canonical_json
from astra_proto.messages import ToolCall
from pydantic import BaseModel, ValidationError

from astra_synth_worker.llm.base import LLM, Completion, LLMFailed, Prompt
from astra_synth_worker.llm.render import render


class CassetteBroken(ValueError):
    """A line of the recording is not one."""


class Line(BaseModel):
    """One recorded reply. ``prompt`` is for people; ``key`` is what it is found by."""

    key: str
    model: str
    prompt: str
    content: str | None
    tool_calls: list[ToolCall] = []
    prompt_tokens: int = 0
    completion_tokens: int = 0
    truncated: bool = False

    def completion(self) -> Completion:
        """The reply as the model gave it."""
        fields = self.model_dump(exclude={"key", "model", "prompt", "tool_calls"})
        return Completion(**fields, tool_calls=tuple(self.tool_calls))


def request_key(model: str, prompt: Prompt) -> str:
    """A hash of all that the reply can depend on: model, messages, tools, temperature and seed."""
    asked: dict[str, Any] = {
        "model": model,
        "messages": render(prompt),
        "tools": [tool.model_dump(mode="json") for tool in prompt.tools],
        "temperature": prompt.temperature,
        "seed": prompt.seed,
    }
    return hashlib.sha256(canonical_json(asked).encode("utf-8", "replace")).hexdigest()


def read(path: Path) -> dict[str, Line]:
    """The recording by key; of two replies to the same request the first holds."""
    lines: dict[str, Line] = {}
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if text.strip():
            try:
                line = Line.model_validate_json(text)
            except ValidationError as error:
                raise CassetteBroken(f"{path.name}, line {number}: {error}") from None
            lines.setdefault(line.key, line)
    return lines


class Player:
    """A model that is a recording: it answers what was asked before, and nothing else."""

    def __init__(self, path: Path, model: str | None = None) -> None:
        self._path, self._lines = path, read(path)
        models = sorted({line.model for line in self._lines.values()})
        if model is None and len(models) != 1:
            raise CassetteBroken(f"{path.name} holds replies of {models}: say which model is meant")
        self.name = model or models[0]

    async def complete(self, prompt: Prompt) -> Completion:
        """The recorded reply. Raises :class:`LLMFailed` for a request that was not recorded."""
        line = self._lines.get(request_key(self.name, prompt))
        if line is None:
            raise LLMFailed(
                f"prompt {prompt.name!r} with seed {prompt.seed} and {len(prompt.messages)} messages behind it is not "
                f"in {self._path.name} for model {self.name!r}: record it again"
            )
        return line.completion()


class Recorder:
    """A live model whose replies are written down. What is on the tape already is not asked again."""

    def __init__(self, llm: LLM, path: Path) -> None:
        self.name, self._llm, self._path = llm.name, llm, path
        self._tape: TextIO | None = None
        self._lines: dict[str, Line] = {}

    def __enter__(self) -> "Recorder":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lines = read(self._path) if self._path.exists() else {}
        self._tape = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._tape is not None
        self._tape.close()

    async def complete(self, prompt: Prompt) -> Completion:
        """The model's reply, from the tape if it is there."""
        key = request_key(self.name, prompt)
        if key not in self._lines:
            reply = await self._llm.complete(prompt)
            fields = {k: v for k, v in asdict(reply).items() if k != "tool_calls"}
            line = Line(key=key, model=self.name, prompt=prompt.name, **fields, tool_calls=list(reply.tool_calls))
            self._lines[key] = line
            assert self._tape is not None
            self._tape.write(json.dumps(line.model_dump(mode="json"), ensure_ascii=True, sort_keys=True) + "\n")
            self._tape.flush()
        return self._lines[key].completion()
