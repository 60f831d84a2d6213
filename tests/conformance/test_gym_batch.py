"""verl-tool's requests, as its agent loop writes them: a batch of texts for a batch of observations."""

import json
import uuid
from typing import Any

from .conftest import FINE, LOAN, Running

Json = dict[str, Any]


def text(call: Json) -> str:
    return f"<think>hm</think><tool_call>{json.dumps(call)}</tool_call>"


def sent(running: Running, ids: list[str], actions: list[str], **more: Any) -> Json:
    """What verl-tool's agent loop sends: besides ids and actions, whether each is finished or at its last step."""
    count = len(ids)
    body = {
        "trajectory_ids": ids,
        "actions": actions,
        "finish": [False] * count,
        "is_last_step": [False] * count,
    } | more
    reply = running.http.post("/gym/get_observation", json=body)
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    assert {type(done) for done in found["dones"] + found["valids"]} == {bool}
    return found


def test_a_batch_of_trajectories_from_first_action_to_finish(running: Running) -> None:
    before = running.live()
    ids = [uuid.uuid4().hex for _ in range(8)]
    rows = [{"arena_id": running.arena_id, "split": "train", "index": n, "env": {"seed": n}} for n in range(8)]
    first = sent(running, ids, [text(LOAN)] * 8, extra_fields=rows)
    assert first["dones"] == [False] * 8
    assert first["valids"] == [True] * 8
    assert all(json.loads(seen["obs"])["days_late"] == 12 for seen in first["observations"])
    second = sent(running, ids, [text(FINE)] * 7 + ["I do not know what to call"])
    assert second["dones"] == [True] * 7 + [False]
    assert second["valids"] == [True] * 7 + [False]
    for one, two in list(zip(first["observations"], second["observations"], strict=True))[:7]:
        assert one["reward"] + two["reward"] == 1.0
    assert running.live() < before + 8, "what is over is not held"
    last = sent(running, ids, [""] * 8, finish=[True] * 8)
    assert last["observations"] == [""] * 8
    assert last["dones"] == last["valids"] == [True] * 8
    running.settle(before)
    again = sent(running, ids[:1], [""], finish=[True])
    assert again["dones"] == [True], "to finish twice is no mistake"


def test_what_is_wrong_with_one_trajectory_is_told_in_its_own_observation(running: Running) -> None:
    env_id, twice = running.env(), uuid.uuid4().hex
    row = {"arena_id": running.arena_id}
    told = sent(
        running,
        [env_id, "nobody", "nowhere", twice, twice, "broken", "many"],
        [text(LOAN), text(LOAN), text(LOAN), text(LOAN), text(FINE), "<tool_call>{broken", "<tool_call>{}" * 65],
        extra_fields=[{}, {}, {"arena_id": "ar_" + "0" * 32}, row, row, row, row],
    )
    assert told["valids"] == [True, False, False, True, True, False, False]
    assert told["dones"] == [False, True, True, False, True, False, False]
    seen = told["observations"]
    assert seen[1]["error"] == "Invalid"
    assert "arena_id" in seen[1]["obs"]
    assert seen[2]["error"] == "NotFound"
    assert seen[3]["reward"] + seen[4]["reward"] == 1.0, "two actions of one trajectory, in order"
    assert seen[5]["info"]["calls"] == 1, "a call that cannot be read counts"
    late = sent(running, [twice], [text(LOAN)], extra_fields=[row])
    assert late["dones"] == [True]
    assert late["observations"][0]["error"] == "Conflict"
    sent(running, ["broken", "many", twice], [""] * 3, finish=[True] * 3)


def test_bad_bodies(running: Running) -> None:
    for body in (
        {}, {"trajectory_ids": [], "actions": []}, {"trajectory_ids": ["a"], "actions": []},
        {"trajectory_ids": ["a"], "actions": ["b"], "finish": []}, {"trajectory_ids": [""], "actions": [""]},
        {"trajectory_ids": ["a"], "actions": [1]}, {"trajectory_ids": ["a"], "actions": ["b"], "extra_fields": [1]},
    ):  # fmt: skip
        assert running.http.post("/gym/get_observation", json=body).status_code == 422
    for text_ in ("<tool_call>" * 18_000, "{" * 200_000, '{"name": "' + "x" * 1_000 + '"}', '{"name": []}', "[]", "7"):
        told = sent(running, ["a"], [text_], extra_fields=[{"arena_id": running.arena_id}])
        assert told["valids"] == [False]
    sent(running, ["a"], [""], finish=[True])
