"""Pipeline A against real MCP servers through the real registry: what agents and judges can do to it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from astra_proto.envs import ErrorClass
from astra_proto.errors import AstraError, Unavailable
from astra_proto.jobs import TrajectoryJob
from astra_proto.messages import AssistantMessage, ToolMessage, UserMessage
from astra_proto.trajectories import Trajectory
from astra_service.client import ApiClient
from astra_synth_worker.jobs.context import Context, Outcome, Refused
from astra_synth_worker.llm.base import LLMFailed, Prompt
from astra_synth_worker.llm.cassette import Player, Recorder
from astra_synth_worker.llm.openai import OpenAIModel
from astra_synth_worker.teacher.offline import OfflineTeacher
from astra_synth_worker.trajectories.offline import HANDLERS
from astra_synth_worker.trajectories.pipeline import make_trajectory

pytestmark = pytest.mark.anyio

QUESTION = "Please make a table of lamps and tell me which tables there are then."
JOB = TrajectoryJob(server_id="sqlite", chain=["create_table", "list_tables"], seed=3)
GOOD = {"thought": "fine", "score": 1}


def answers(turns: list[Any], judges: Callable[[str, dict[str, Any]], Any] | None = None) -> Callable[..., Any]:
    """A rule for the endpoint: it writes the task, plays the turns, and grades as ``judges`` says (else all good)."""
    left = list(turns)

    def rule(body: dict[str, Any]) -> Any:
        text = body["messages"][0]["content"]
        if body.get("tools"):
            return left.pop(0)
        if "You write requests" in text:
            return {"content": json.dumps({"question": QUESTION, "target_tools": JOB.chain})}
        results = text.count("[result ")
        good = {"thought": "fine", "scores": [1] * results} if "You mark" in text else GOOD
        judged = judges(text, good) if judges else good
        return judged if isinstance(judged, int) else {"content": json.dumps(judged)}

    return rule


CREATE = {"calls": [("create_table", json.dumps({"query": "CREATE TABLE lamps (id INTEGER)"}))]}
LIST = {"content": "Now the list.", "calls": [("list_tables", "{}")]}
ANSWER = {"content": "<think>so</think>The table lamps was created; the tables are: lamps."}


@pytest.fixture
def make(make_context: Any, model: OpenAIModel, registry: ApiClient) -> Callable[..., Any]:
    async def run(job: TrajectoryJob = JOB, **settings: Any) -> Outcome:
        context: Context = make_context(model, registry, **settings)
        return await make_trajectory(job, context)

    return run


async def refused(run: Any) -> tuple[str, Trajectory | None]:
    with pytest.raises(Refused) as refusal:
        await run
    return refusal.value.reason, refusal.value.trajectory


def results(trajectory: Trajectory) -> list[str]:
    return [message.content for message in trajectory.messages if isinstance(message, ToolMessage)]


async def test_a_model_that_does_it_right_is_kept(endpoint: Any, make: Any) -> None:
    endpoint.rule = answers([CREATE, LIST, ANSWER])
    outcome = await make()
    made = outcome.trajectory
    assert made.kept
    assert (made.reason, made.teacher, made.score.mean()) == ("", "tiny", 1.0)
    assert [message.role for message in made.messages] == [
        "system", "user", "assistant", "tool", "assistant", "tool", "assistant"
    ]  # fmt: skip
    assert results(made) == ["Table created successfully", "[{'name': 'lamps'}]"]
    calls = [c for m in made.messages if isinstance(m, AssistantMessage) for c in m.tool_calls or ()]
    assert [c.id for c in calls] == ["call_1", "call_2"]
    assert made.messages[-1].content == "The table lamps was created; the tables are: lamps."
    assert outcome.result == {"trajectory_id": made.id}
    assert {tool.function.name for tool in made.tools} >= set(JOB.chain)
    assert "create_table" not in endpoint.requests[1]["messages"][0]["content"], "the agent is not told the chain"


async def test_the_same_run_has_the_same_name(endpoint: Any, make: Any) -> None:
    made = []
    for _ in range(2):
        endpoint.rule = answers([CREATE, LIST, ANSWER])
        made.append((await make()).trajectory)
    assert made[0] == made[1]


async def test_what_an_agent_gets_wrong_is_an_observation(endpoint: Any, make: Any) -> None:
    wrong = {
        "calls": [
            ("no_such_tool", "{}"),
            ("x" * 5_000, "{}"),
            ("list_tables", "{"),
            ("list_tables", "[1]"),
            ("list_tables", '{"a": NaN}'),
            ("list_tables", "{" * 200 + "}" * 200),
            ("describe_table", '{"table_name": 7}'),
            ("describe_table", "{}"),
            ("read_query", json.dumps({"query": "SELECT nope"})),
            ("read_query", json.dumps({"query": "a\0b", "d": [[[[]]]] * 70})),
            ("read_query", '{"query": ' + "[" * 70 + "]" * 70 + "}"),
        ]
    }
    endpoint.rule = answers([wrong, CREATE, ANSWER], lambda text, good: good)
    made = (await make()).trajectory
    assert len(results(made)) == 12
    assert "there is no tool 'no_such_tool'" in results(made)[0]
    assert "not a JSON object" in results(made)[2]
    assert made.score.call_status is not None
    assert made.score.call_status <= 4 / 12, "what failed has failed, whatever the judge says"


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([LIST] * 3, "max_turns"),
        ([{"calls": [("list_tables", "{}")] * 9}], "max_calls"),
        ([{"content": ""}], "empty_reply"),
        ([{"content": "<think>hm</think>"}], "empty_reply"),
        ([CREATE, {"content": "The table", "finish": "length"}], "cut_off"),
        ([ANSWER], "no_tool_call"),
        ([{"calls": [("no_such_tool", "{}")]}, ANSWER], "no_tool_result"),
        ([{"calls": [("describe_table", "{}")]}, ANSWER], "no_tool_result"),
    ],
)
async def test_runs_that_are_not_worth_judging(endpoint: Any, make: Any, turns: list[Any], reason: str) -> None:
    endpoint.rule = answers(turns)
    found, made = await refused(make(max_turns=3, max_calls=8))
    assert found == reason
    assert made is not None
    assert (made.kept, made.reason, made.score.mean()) == (False, reason, None)
    assert not any("You grade" in r["messages"][0]["content"] for r in endpoint.requests)


async def test_the_verdict_decides(endpoint: Any, make: Any) -> None:
    endpoint.rule = answers(
        [CREATE, LIST, ANSWER], lambda text, good: {**GOOD, "score": 0} if "score" in good else good
    )
    reason, made = await refused(make())
    assert reason == "bad_final_answer"
    assert made is not None
    assert made.score.mean() == pytest.approx(2 / 7)


async def test_judges_that_are_down_leave_it_unscored(endpoint: Any, make: Any) -> None:
    endpoint.rule = answers([CREATE, LIST, ANSWER], lambda text, good: 400)
    reason, made = await refused(make())
    assert reason == "unscored"
    assert made is not None
    assert set(made.score.model_dump().values()) == {None}


async def test_what_the_registry_does_not_know(make: Any) -> None:
    assert await refused(make(TrajectoryJob(server_id="nowhere", chain=["x"]))) == ("unknown_server", None)
    assert await refused(make(TrajectoryJob(server_id="sqlite", chain=["x"]))) == ("unknown_tool", None)


@asynccontextmanager
async def gateway(reply: Callable[[str], tuple[int, Any]], behind: str) -> AsyncIterator[ApiClient]:
    """The real registry, but calls of tools are answered by ``reply``."""
    real = httpx2.AsyncHTTPTransport()

    class Between(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith("/calls"):
                status, body = reply(request.url.path)
                return httpx2.Response(status, json=body, request=request)
            return await real.handle_async_request(request)

    async with ApiClient(behind, transport=Between(), retries=0) as client:
        yield client
    await real.aclose()


@pytest.mark.parametrize(
    "reply",
    [
        (503, {"error": "Unavailable", "detail": "x"}),
        (404, {"error": "NotFound", "detail": "the session is gone"}),
        (500, {"error": "Internal", "detail": "x"}),
        (200, {"ok": False, "output": "lost", "error_class": ErrorClass.INFRA}),
        (200, {"nonsense": 1}),
    ],
)
async def test_a_gateway_that_fails_is_no_observation(
    endpoint: Any, model: OpenAIModel, make_context: Any, registry_url: str, reply: tuple[int, Any]
) -> None:
    endpoint.rule = answers([CREATE, LIST, ANSWER])
    async with gateway(lambda path: reply, registry_url) as registry:
        with pytest.raises(AstraError) as failure:
            await make_trajectory(JOB, make_context(model, registry))
    assert not isinstance(failure.value, Refused)
    if reply[0] == 200 and "ok" in reply[1]:
        assert isinstance(failure.value, Unavailable)


async def test_a_model_that_fails_in_the_middle_is_no_trajectory(endpoint: Any, make: Any) -> None:
    endpoint.rule = answers([CREATE, 400])
    with pytest.raises(LLMFailed):
        await make()


async def test_a_long_result_is_cut_and_says_so(endpoint: Any, make: Any) -> None:
    long = {"calls": [("read_query", json.dumps({"query": "SELECT printf('%.*c', 3000, 'x') AS text"}))]}
    endpoint.rule = answers([long, ANSWER])
    made = (await make(observation_chars=200)).trajectory
    assert len(results(made)[0]) < 300
    assert "[cut: " in results(made)[0]


async def test_a_run_is_recorded_and_replayed(
    endpoint: Any, model: OpenAIModel, make_context: Any, registry: ApiClient, tmp_path: Any
) -> None:
    endpoint.rule = answers([CREATE, LIST, ANSWER])
    with Recorder(model, tmp_path / "run.jsonl") as recorder:
        live = await make_trajectory(JOB, make_context(recorder, registry))
    endpoint.rule = lambda body: 500
    assert await make_trajectory(JOB, make_context(Player(tmp_path / "run.jsonl"), registry)) == live
    other = JOB.model_copy(update={"seed": 4})
    with pytest.raises(LLMFailed, match="task_for_chain"):
        await make_trajectory(other, make_context(Player(tmp_path / "run.jsonl"), registry))


@pytest.mark.parametrize(
    ("server", "chain"),
    [
        ("sqlite", ["list_tables", "describe_table", "append_insight"]),
        ("payments", ["get_charge", "capture_charge", "refund_charge", "get_customer"]),
        ("crm", ["restore_record", "update_record", "delete_record", "list_records"]),
        ("crm", []),
    ],
)
async def test_the_offline_teacher_is_kept_with_real_results(
    make_context: Any, registry: ApiClient, server: str, chain: list[str]
) -> None:
    job = TrajectoryJob(server_id=server, chain=chain, seed=11)
    made = (await make_trajectory(job, make_context(OfflineTeacher(HANDLERS), registry))).trajectory
    assert made is not None
    assert (made.kept, made.teacher) == (True, "offline")
    assert results(made)
    called = [c.function.name for m in made.messages if isinstance(m, AssistantMessage) for c in m.tool_calls or ()]
    order = iter(called)
    assert all(tool in order for tool in chain)


async def test_the_offline_teacher_does_not_work_on_what_it_cannot_read() -> None:
    variables = {"server": {"id": "s", "title": "", "description": ""}, "chain": [], "seed": 0}
    with pytest.raises(LLMFailed):
        await OfflineTeacher(HANDLERS).complete(Prompt("agent_turn", variables, (UserMessage(content="hi"),)))
