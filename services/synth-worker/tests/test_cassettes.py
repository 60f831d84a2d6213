"""Recordings: found by all that a reply depends on, and by nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from astra_proto.messages import FunctionCall, FunctionSpec, ToolCall, ToolSpec, UserMessage
from astra_synth_worker.llm.base import Completion, LLMFailed, Prompt
from astra_synth_worker.llm.cassette import CassetteBroken, Player, Recorder
from astra_synth_worker.llm.choose import open_llm
from astra_synth_worker.llm.openai import OpenAIModel
from astra_synth_worker.settings import Settings

pytestmark = pytest.mark.anyio

TURN = Prompt(
    "agent_turn",
    {"server": {"id": "s", "title": "S", "description": "d"}, "chain": [], "seed": 0},
    (UserMessage(content="héllo"),),
)
TOOL = ToolSpec(function=FunctionSpec(name="f", description="d", parameters={}))
REPLY = Completion("hi ✓", (ToolCall(id="1", function=FunctionCall(name="f", arguments="{}")),), 4, 2)


async def test_what_was_recorded_is_replayed(tmp_path: Path, script: Callable[..., Any]) -> None:
    tape, live = tmp_path / "tapes" / "a.jsonl", script(lambda prompt: REPLY)
    with Recorder(live, tape) as recorder:
        assert await recorder.complete(TURN) == REPLY
        assert await recorder.complete(TURN) == REPLY
    assert len(live.asked) == 1
    with Recorder(live, tape) as recorder:
        await recorder.complete(TURN)
        await recorder.complete(replace(TURN, seed=1))
    assert len(live.asked) == 2
    player = Player(tape)
    assert player.name == "scripted"
    assert await player.complete(TURN) == REPLY


@pytest.mark.parametrize(
    "other",
    [
        replace(TURN, seed=1),
        replace(TURN, temperature=0.1),
        replace(TURN, tools=(TOOL,)),
        replace(TURN, messages=(UserMessage(content="hello"),)),
        replace(TURN, variables={**TURN.variables, "server": {"id": "t", "title": "T", "description": "d"}}),
    ],
)
async def test_another_request_is_not_on_the_tape(tmp_path: Path, script: Callable[..., Any], other: Prompt) -> None:
    with Recorder(script(lambda prompt: REPLY), tmp_path / "a.jsonl") as recorder:
        await recorder.complete(TURN)
    with pytest.raises(LLMFailed, match=r"'agent_turn'.*not in a.jsonl.*record it again"):
        await Player(tmp_path / "a.jsonl").complete(other)


async def test_what_the_model_is_not_shown_does_not_matter(tmp_path: Path, script: Callable[..., Any]) -> None:
    with Recorder(script(lambda prompt: REPLY), tmp_path / "a.jsonl") as recorder:
        await recorder.complete(TURN)
    same = replace(TURN, variables={**TURN.variables, "chain": ["x"]})
    assert await Player(tmp_path / "a.jsonl").complete(same) == REPLY


async def test_a_failure_is_not_recorded(tmp_path: Path, endpoint: Any, model: OpenAIModel) -> None:
    endpoint.rule = lambda body: 400
    with Recorder(model, tmp_path / "a.jsonl") as recorder, pytest.raises(LLMFailed):
        await recorder.complete(TURN)
    assert (tmp_path / "a.jsonl").read_text() == ""


def test_a_broken_tape_says_where(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n{"key": 1}\n')
    with pytest.raises(CassetteBroken, match="line 2"):
        Player(tmp_path / "a.jsonl", "m")


async def test_settings_choose_the_model(tmp_path: Path) -> None:
    async with open_llm(Settings()) as llm:
        assert llm.name == "offline"
    async with open_llm(Settings(llm="openai", llm_model="tiny")) as llm:
        assert llm.name == "tiny"
    for wrong in (Settings(llm="openai"), Settings(cassette_mode="replay")):
        with pytest.raises(SystemExit):
            async with open_llm(wrong):
                raise AssertionError("it must not open")
    tape = tmp_path / "a.jsonl"
    async with open_llm(Settings(cassette=tape, cassette_mode="record")) as llm:
        assert (llm.name, tape.read_text()) == ("offline", "")
