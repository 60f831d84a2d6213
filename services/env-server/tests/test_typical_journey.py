"""An arena is published, played well and played badly."""

import json
from typing import Any

import pytest
from astra_proto.envs import EnvView
from astra_proto.episodes import EpisodeView, ResetReply, StepReply

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
Calls = list[tuple[str, Json]]


async def test_golden_play_earns_one(server: Any, library: Json, golden: Calls) -> None:
    arena_id = await server.publish(library)
    created = await server.post("/envs", json={"arena_id": arena_id, "seed": 7, "ttl_s": 60})
    assert created.status_code == 201
    view = EnvView.model_validate(created.json())
    assert (view.status, view.steps, view.seed, view.isolation) == ("open", 0, 7, (await capacity(server))["isolation"])

    reset = ResetReply.model_validate((await server.post(f"/envs/{view.id}/reset", json={})).json())
    assert reset.observation.tools is not None
    assert (reset.info.step_index, reset.info.calls, reset.info.f1, reset.info.reason) == (0, 0, 0.0, None)

    rewards = []
    for name, arguments in golden:
        action = {"tool_calls": [{"id": f"mine_{name}", "name": name, "arguments": arguments}]}
        reply = StepReply.model_validate((await server.post(f"/envs/{view.id}/step", json={"action": action})).json())
        assert reply.observation.messages[0].tool_call_id == f"mine_{name}"  # type: ignore[union-attr]
        rewards.append(reply.reward)
    assert sum(rewards) == pytest.approx(1.0)
    assert (reply.terminated, reply.truncated, reply.done, reply.info.reason) == (True, False, True, "solved")
    assert (reply.info.solved, reply.info.calls, reply.info.recall, reply.info.precision) == ([1, 2], 2, 1.0, 1.0)
    assert (await server.get(f"/envs/{view.id}")).json()["status"] == "done"

    over = await server.post(f"/envs/{view.id}/step", json={"action": {"content": "more"}})
    assert (over.status_code, over.json()["error"]) == (409, "Conflict")
    assert (await server.delete(f"/envs/{view.id}")).status_code == 204
    assert (await server.get(f"/envs/{view.id}")).status_code == 404


async def capacity(server: Any) -> Json:
    found: Json = (await server.get("/capacity")).json()
    return found


async def test_several_calls_in_one_step_run_in_order(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library))
    calls = [{"name": name, "arguments": arguments} for name, arguments in golden]
    reply = await play.step({"tool_calls": [*calls, calls[0]], "content": "let me see"})
    assert [m["tool_call_id"] for m in reply["observation"]["messages"]] == ["call_1", "call_2", "call_3"]
    assert reply["reward"] == reply["info"]["f1"] == pytest.approx(2 * 2 / (2 + 3))
    assert (reply["terminated"], reply["info"]["reason"]) == (True, "solved")


async def test_calls_are_taken_as_chat_models_write_them(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library))
    (name, arguments), (other, more) = golden
    function = {"name": name, "arguments": json.dumps(arguments)}
    first = await play.step({"tool_calls": [{"id": "c1", "type": "function", "function": function}]}, step_id="1")
    assert first["observation"]["messages"][0]["tool_call_id"] == "c1"
    assert first["reward"] == pytest.approx(2 / 3)
    plain = {"tool_calls": [{"id": "c1", "name": name, "arguments": json.dumps(arguments)}]}
    assert await play.step(plain, step_id="1") == first, "the same action in other words"
    batch = {"env_id": play.env_id, "action": {"tool_calls": [{"function": {"name": other, "arguments": more}}]}}
    (result,) = (await server.post("/batch/step", json={"steps": [batch]})).json()["results"]
    assert result["reply"]["info"]["reason"] == "solved"
    for wrong in ({"function": {}}, {"function": 5}, {"type": "custom", "function": function}, {"name": "a", **batch}):
        refused = await play.send("POST", "/step", json={"action": {"tool_calls": [wrong]}})
        assert (refused.status_code, refused.json()["error"]) == (422, "Invalid")
        assert "body.action.tool_calls.0." in refused.json()["detail"]


async def test_what_has_no_fields_that_are_needed_needs_no_body(server: Any, library: Json, golden: Calls) -> None:
    created = await server.post("/envs", json={"arena_id": await server.publish(library)})
    path = f"/envs/{created.json()['id']}"
    assert (await server.post(f"{path}/reset")).status_code == 200
    assert (await server.post(f"{path}/fork")).status_code == 201
    assert (await server.post(f"{path}/regrade")).json()["steps"] == []
    refused = await server.post(f"{path}/step")
    assert (refused.status_code, refused.json()["error"]) == (422, "Invalid")


async def test_every_mistake_is_an_observation_that_helps(server: Any, library: Json) -> None:
    play = await server.play(await server.publish(library))
    fine = "compute_late_fine"
    mistakes: list[tuple[str, Any, str, str]] = [
        ("nowhere", {}, "policy", "the tools are: compute_late_fine"),
        (fine, "{not json", "policy", "not a JSON object"),
        (fine, "[1]", "policy", "must be a JSON object"),
        (fine, '{"days_late": NaN, "membership": "student"}', "policy", "not a JSON object"),
        (fine, '{"a": ' * 100 + "1" + "}" * 100, "policy", "nested deeper"),
        (fine, {"days_late": "many", "membership": "student"}, "policy", "arguments.days_late: 'many' is not of type"),
        (fine, {"days_late": 3}, "policy", "'membership' is a required property"),
        (fine, {"days_late": 3, "membership": "student", "x": 1}, "policy", "unexpected 'x'"),
        (fine, {"days_late": 3, "membership": "royal"}, "policy", "arguments.membership"),
        ("find_overdue_loan", {"member_id": "M-1"}, "tool", "no member M-1"),
    ]
    for number, (name, arguments, error, told) in enumerate(mistakes, start=1):
        reply = await play.call(name, arguments)
        assert reply["info"]["error_class"] == error, reply
        (message,) = reply["observation"]["messages"]
        assert message["content"].startswith("error: ")
        assert told in message["content"]
        assert (message["role"], message["name"]) == ("tool", name)
        assert (reply["reward"], reply["info"]["calls"], reply["done"]) == (0.0, number, False)
        assert reply["info"]["reward_valid"] is True


async def test_a_wasted_call_costs(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library))
    rewards = [
        (await play.call(*golden[0]))["reward"],
        (await play.call(*golden[0]))["reward"],
        (await play.call(*golden[1]))["reward"],
    ]
    assert rewards[1] < 0
    assert sum(rewards) == pytest.approx(2 * 2 / (2 + 3))


async def test_terminal_mode_pays_at_the_end(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library), reward_mode="terminal")
    assert [(await play.call(*call))["reward"] for call in golden] == [0.0, 1.0]


async def test_an_answer_ends_the_episode(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library))
    await play.call(*golden[0])
    reply = await play.step({"content": "I give up: 4.2"})
    assert (reply["terminated"], reply["info"]["reason"], reply["reward"]) == (True, "answered", 0.0)
    assert reply["observation"]["messages"] == []


async def test_a_final_answer_counts_where_asked_for(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library), final_answer=True)
    rewards = [(await play.call(*call))["reward"] for call in golden]
    reply = await play.step({"content": "The fine is €4.20."})
    assert reply["info"]["subtasks"] == 3
    assert reply["info"]["reason"] == "solved"
    assert sum([*rewards, reply["reward"]]) == pytest.approx(1.0)
    await play.reset()
    wrong = await play.step({"content": "The fine is €14.20."})
    assert (wrong["reward"], wrong["info"]["reason"]) == (0.0, "answered")


async def test_too_many_steps_truncate(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library), max_steps=2)
    await play.call("nowhere")
    reply = await play.call(*golden[0])
    assert (reply["terminated"], reply["truncated"], reply["done"]) == (False, True, True)
    assert reply["info"]["reason"] == "max_steps"
    assert reply["info"]["f1"] == pytest.approx(2 * 1 / (2 + 2))


async def test_reset_begins_anew_with_a_log_of_its_own(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library))
    await play.call(*golden[0], step_id="1")
    await play.reset(seed=5)
    first = await play.call(*golden[0], step_id="1")
    assert first["reward"] == pytest.approx(2 / 3), "a step_id of the episode before names nothing in this one"
    episode = EpisodeView.model_validate(await play.ok("GET", "/trajectory"))
    assert (episode.episode, episode.seed, len(episode.steps)) == (2, 5, 1)


async def test_the_trajectory_is_the_episode_whole(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library))
    await play.call("nowhere", "{oops", step_id="a")
    replies = [await play.call(*call) for call in golden]
    episode = EpisodeView.model_validate(await play.ok("GET", "/trajectory"))
    assert [m.role for m in episode.messages] == ["user"] + ["assistant", "tool"] * 3
    said = episode.messages[1]
    assert said.role == "assistant"
    assert said.tool_calls is not None
    assert said.tool_calls[0].function.arguments == "{oops", "as the model wrote it"
    assert [s.index for s in episode.steps] == [1, 2, 3]
    assert [s.step_id for s in episode.steps] == ["a", None, None]
    assert [s.errors for s in episode.steps] == [["policy"], [None], [None]]
    assert [s.reward for s in episode.steps][1:] == [r["reward"] for r in replies]
    assert episode.steps[-1].info.model_dump(mode="json") == replies[-1]["info"]


async def test_state_lives_from_call_to_call_and_not_from_reset_to_reset(server: Any, make_arena: Any) -> None:
    code = "seen = []\n\n\ndef push(item):\n    seen.append(item)\n    return f'{len(seen)} in all, last {item * 2}'\n"
    play = await server.play(await server.publish(make_arena(code, {"item": 4321}, 8642)))
    other = await server.play((await server.get(f"/envs/{play.env_id}")).json()["arena_id"])
    seen = [(await play.call("push", {"item": n}))["observation"]["messages"][0]["content"] for n in (1, 2)]
    assert [s.split()[0] for s in seen] == ["1", "2"]
    assert (await other.call("push", {"item": 9}))["observation"]["messages"][0]["content"] == "1 in all, last 18"
    await play.reset()
    assert (await play.call("push", {"item": 7}))["observation"]["messages"][0]["content"] == "1 in all, last 14"


async def test_code_without_an_arena(server: Any) -> None:
    code = "n = 0\ndef up(by):\n    global n\n    n += by\n    return n\ndef fail():\n    raise ValueError('no')\n"
    calls = [("up", {"by": 2}), ("up", '{"by": 3}'), ("fail", {}), ("up", {}), ("nowhere", {}), ("up", "{")]
    body = {"code": code, "calls": [{"name": n, "arguments": a} for n, a in calls]}
    results = (await server.post("/sandbox/run", json=body)).json()["results"]
    assert [(r["ok"], r["error_class"]) for r in results] == [
        (True, None), (True, None), (False, "tool"), (False, "tool"), (False, "policy"), (False, "policy"),
    ]  # fmt: skip
    assert [r["output"] for r in results[:2]] == ["2", "5"], "one session: state lives from call to call"
    assert "ValueError: no" in results[2]["output"]
    assert "defines no function 'nowhere'" in results[4]["output"]


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        ("def f(:", "tool", "does not parse"),
        ("import numpy\ndef f(): return 1", "tool", "numpy"),
        ("def f():\n  while True: pass", "timeout", "longer than"),
        ("import os\ndef f():\n  os._exit(3)", "tool", "ended its own process"),
        ("while True: pass\ndef f(): return 1", "timeout", ""),
    ],
)
async def test_code_that_fails_says_how(serve: Any, code: str, error: str, told: str) -> None:
    async with serve(step_timeout_s=0.5) as server:
        body = {"code": code, "calls": [{"name": "f"}, {"name": "f"}], "timeout_s": 0.3}
        reply = await server.post("/sandbox/run", json=body)
        assert reply.status_code == 200
        for result in reply.json()["results"]:
            assert (result["ok"], result["error_class"]) == (False, error)
            assert told in result["output"]
