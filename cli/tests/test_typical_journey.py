"""Start everything, bring in tools, make and play arenas, all by the command line."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from astra.services import Service

FOLDER = Path(__file__).parents[2] / "services" / "env-server" / "examples"
EXAMPLES = [FOLDER / f"{name}.json" for name in ("library", "hotel")]
"""A stateless arena and a stateful one."""


class _Silent(BaseHTTPRequestHandler):
    """Answers every chat with a model that has nothing to say."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": "I do not know."}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def silent_model() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@pytest.fixture(scope="module")
def up(start: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return start(tmp_path_factory.mktemp("astra"))


def test_tools(up: Any, astra: Any, documents: Any) -> None:
    known = {entry["server"]["id"] for entry in documents(up.data_dir, "registry", "catalogue")}
    assert len(known) >= 3
    (server,) = documents(up.data_dir, "registry", "import", "sqlite")
    assert len(server["tools"]) >= 5
    assert [s["id"] for s in documents(up.data_dir, "registry", "ls")] == ["sqlite"]
    (graph,) = documents(up.data_dir, "registry", "graph", "sqlite", "--build")
    assert graph["edges"]
    chains = documents(up.data_dir, "registry", "chains", "sqlite", "--count", "3", "--seed", "5")
    assert chains == documents(up.data_dir, "registry", "chains", "sqlite", "--count", "3", "--seed", "5")
    names = {tool["name"] for tool in server["tools"]}
    assert all(set(chain["tools"]) <= names for chain in chains)
    (reply,) = documents(up.data_dir, "registry", "call", "sqlite", "list_tables", "{}")
    assert reply["ok"]
    shown = astra(up.data_dir, "registry", "show", "sqlite")
    assert "list_tables" in shown.stdout
    wrong = astra(up.data_dir, "registry", "call", "sqlite", "no_such_tool")
    assert wrong.returncode == 1
    strange = astra(up.data_dir, "registry", "import", "no-such-server")
    assert strange.returncode == 1
    assert "sqlite" in strange.stderr


def test_arenas(up: Any, astra: Any, documents: Any) -> None:
    example = EXAMPLES[0]
    (report,) = documents(up.data_dir, "arena", "check", str(example))
    assert report["sound"]
    (published,) = documents(up.data_dir, "arena", "publish", str(example))
    assert published["created"]
    assert not documents(up.data_dir, "arena", "publish", str(example))[0]["created"]
    arena = published["id"]
    assert arena in {a["id"] for a in documents(up.data_dir, "arena", "ls")}
    (view,) = documents(up.data_dir, "arena", "show", arena)
    assert "golden_call" not in json.dumps(view)
    (episode,) = documents(up.data_dir, "env", "play", arena, "--golden")
    assert sum(step["reward"] for step in episode["steps"]) == pytest.approx(1.0)
    assert episode["steps"][-1]["terminated"]
    played = astra(up.data_dir, "env", "play", arena, stdin="tools\nhelp\nnonsense here\nanswer I do not know\n")
    assert played.returncode == 0, played.stderr
    assert "there is no tool 'help'" not in played.stdout
    assert "name=value" in played.stdout
    assert "The episode is over: answered" in played.stdout
    (room,) = documents(up.data_dir, "env", "capacity")
    assert room["envs"] == 0, "every play closes its env"
    options = ("--seed", "3", "--max-steps", "5", "--ttl-s", "1", "--score", "recall", "--final-answer")
    (made,) = documents(up.data_dir, "env", "create", arena, *options)
    assert (made["seed"], made["max_steps"], made["distractors"]["high"]) == (3, 5, 0)
    assert (made["score"], made["final_answer"]) == ("recall", True)
    assert made["id"] in [env["id"] for env in documents(up.data_dir, "env", "ls", "--arena", arena)]
    (kept,) = documents(up.data_dir, "env", "create", arena)
    assert kept["id"] in astra(up.data_dir, "env", "ls", "--status", "open").stdout
    assert astra(up.data_dir, "env", "rm", kept["id"]).returncode == 0
    assert kept["id"] not in astra(up.data_dir, "env", "ls").stdout
    assert astra(up.data_dir, "env", "rm", kept["id"]).returncode == 1
    more = astra(up.data_dir, "env", "create", arena, "--distractors", "high=4,medium=4,low=4", "--ttl-s", "1")
    assert more.returncode == 0, more.stderr
    drawable = documents(up.data_dir, "registry", "ls")  # by the test before this one, where it ran
    assert ("distractors: " if drawable else "no distractors") in more.stdout
    assert astra(up.data_dir, "env", "create", arena, "--distractors", "tall=2").returncode == 2
    while documents(up.data_dir, "env", "capacity")[0]["envs"]:
        pass  # their second is over soon


def test_arenas_are_watched_compared_and_counted(up: Any, astra: Any, documents: Any, tmp_path: Path) -> None:
    (published,) = documents(up.data_dir, "arena", "publish", str(EXAMPLES[0]))
    arena = published["id"]
    (episode,) = documents(up.data_dir, "arena", "play", arena)
    assert sum(step["reward"] for step in episode["steps"]) == pytest.approx(1.0)
    watched = astra(up.data_dir, "arena", "play", arena).stdout
    for told in ("Step 1: sub-task 1", "> find_overdue_loan", "Step 2: sub-task 2, needs 1", "F1 1.000", "solved"):
        assert told in watched
    (hotel,) = documents(up.data_dir, "arena", "publish", str(EXAMPLES[1]))
    assert "state: replace /bookings/B-17/status" in astra(up.data_dir, "arena", "play", hotel["id"]).stdout
    inside = astra(up.data_dir, "arena", "show", hotel["id"], "--full").stdout
    for told in ("Initial state", "/bookings/B-17/status", "Soundness: sound", "Provenance", "teacher"):
        assert told in inside
    typed = astra(up.data_dir, "arena", "play", arena, "-i", stdin="find_overdue_loan member_id=M-2041\nquit\n")
    assert "reward +0.667" in typed.stdout
    (room,) = documents(up.data_dir, "env", "capacity")
    assert room["envs"] == 0, "every play closes its env"

    other = json.loads(EXAMPLES[0].read_text())
    other["tools"][0]["code"] = other["tools"][0]["code"].replace("The Salt Road", "The Salt Way")
    other["split"] = "validation"
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps(other))
    (found,) = documents(up.data_dir, "arena", "diff", arena, str(draft))
    assert not found["same"]
    assert [change["name"] for change in found["fields"]] == ["split"]
    assert [change["what"] for change in found["tools"]] == [f"tool {other['tools'][0]['name']}"]
    told = astra(up.data_dir, "arena", "diff", arena, str(draft)).stdout
    assert any(line.startswith("-") and "The Salt Road" in line for line in told.splitlines())
    assert any(line.startswith("+") and "The Salt Way" in line for line in told.splitlines())
    assert "They are the same" in astra(up.data_dir, "arena", "diff", arena, arena).stdout

    listed = documents(up.data_dir, "arena", "ls")
    (counted,) = documents(up.data_dir, "arena", "stats")
    assert counted["arenas"] == len(listed)
    assert counted["by"]["topology"]["parallel_multi_hop"]["paper"] == 0.478
    assert sum(share["count"] for share in counted["by"]["hops"].values()) == len(listed)
    shown = astra(up.data_dir, "arena", "stats").stdout
    assert "47.8 %" in shown
    assert "(paper 4.37)" in shown

    (before,) = documents(up.data_dir, "arena", "difficulty")
    assert (before["arenas"], before["measured"], before["sides"]) == (len(listed), 0, None)
    assert "No policy was measured" in astra(up.data_dir, "arena", "show", arena).stdout
    told_at = f"{up.endpoints.urls[Service.ENV_SERVER]}/solve-rates"
    for policy, solved in (("weak", 0.0), ("strong", 0.75)):
        measured = {"episodes": 4, "solve_rate": solved, "f1": solved}
        body = {"policy": policy, "arenas": {arena: measured, hotel["id"]: measured}}
        assert httpx2.post(told_at, json=body).json()["recorded"] == 2
    (after,) = documents(up.data_dir, "arena", "difficulty", "--domain", "library")
    assert (after["measured"], after["sides"]["strong_only"], [*after["policies"]]) == (1, 1, ["weak", "strong"])
    told = astra(up.data_dir, "arena", "difficulty").stdout
    assert "strong (strong) 2 of the 2 arenas" in told
    for command in (("show", arena), ("stats",), ("difficulty",)):
        assert "75.0 %" in astra(up.data_dir, "arena", *command).stdout, command
    assert astra(up.data_dir, "arena", "difficulty", "--strong", "nobody").returncode == 1
    with silent_model() as address:
        asked = ("eval", "model", "silent/one", "--base-url", address, "--split", "train", "--limit", "3")
        (measured,) = documents(up.data_dir, *asked)
    assert {rate["solve_rate"] for rate in measured["arenas"].values()} == {0.0}
    (last,) = documents(up.data_dir, "arena", "difficulty", "--weak", "silent/one")
    assert last["policies"]["silent/one"]["arenas"] == len(measured["arenas"])
    assert astra(up.data_dir, *asked, "--policy", "[x]").returncode == 2


def test_arenas_go_out_as_a_dataset_and_come_back(up: Any, astra: Any, documents: Any, tmp_path: Path) -> None:
    published, stateful = (documents(up.data_dir, "arena", "publish", str(e))[0] for e in EXAMPLES)
    folder = tmp_path / "set"
    (written,) = documents(up.data_dir, "arena", "dataset", str(folder))
    assert written["mix"]["arenas"] == written["tasks"] >= 2
    assert (folder / "sft" / "train.jsonl").read_text().count("\n") >= 1
    for table in ("arenas/train.parquet", "rl/train.jsonl"):
        *reports, summary = documents(up.data_dir, "arena", "import-rows", str(folder / table))
        assert {published["id"], stateful["id"]} <= {report["arena"] for report in reports}
        assert summary["verdicts"] == {"sound": summary["rows"]}
        assert summary["published"] == 0, "all were there already"
    assert astra(up.data_dir, "arena", "dataset", str(folder)).returncode == 1, "never over something"
    assert astra(up.data_dir, "arena", "dataset", str(tmp_path / "none"), "--domain", "alchemy").returncode == 1
    assert not (tmp_path / "none").exists()

    # A row of others: nothing but the four public columns, so its golden calls have to be found; then faults of theirs.
    (row,) = [
        json.loads(line) | {"arena": None}
        for line in (folder / "rl" / "train.jsonl").read_text().splitlines()
        if published["id"] in line
    ]
    schema, code = json.loads(row["tool_schema"]), json.loads(row["tool_dict"])
    twice = row | {"tool_schema": json.dumps([*schema, schema[0]])}
    constant = code | {"find_overdue_loan": "def find_overdue_loan(member_id):\n    return {'days_late': 12}\n"}
    leaky = [{"role": "user", "content": row["prompt"][0]["content"] + " It is 4.2 euros."}]
    rows = tmp_path / "rows.jsonl"
    bad = (twice, row | {"tool_dict": json.dumps(constant)}, row | {"prompt": leaky}, {"prompt": 5})
    rows.write_text("".join(json.dumps(one) + "\n" for one in (row, *bad)))
    *reports, summary = documents(up.data_dir, "arena", "import-rows", str(rows), "--domain", "bought")
    assert [report["verdict"] for report in reports] == ["sound", "broken", "unsound", "unsound", "broken"], reports
    assert reports[0]["created"]
    assert reports[0]["searched"]
    found = [{(fault["kind"], fault["where"]) for fault in report["faults"]} for report in reports]
    assert ("duplicate_name", f"tool_schema.{schema[0]['function']['name']}") in found[1]
    assert ("gate", "constant_code") in found[2]
    assert ("gate", "leakage") in found[3]
    assert summary["published"] == 1
    (bought,) = documents(up.data_dir, "arena", "ls", "--domain", "bought")
    assert bought["teacher"] == "import"
    told = astra(up.data_dir, "arena", "import-rows", str(rows), "--no-publish").stdout
    assert "row 1: broken" in told
    assert "duplicate_name" in told
    assert astra(up.data_dir, "arena", "import-rows", str(tmp_path / "none")).returncode == 2


def test_keys(up: Any, astra: Any, documents: Any) -> None:
    (made,) = documents(up.data_dir, "env", "keys", "create", "team-a", "agent", "--max-envs", "2", "--days", "1")
    (listed,) = documents(up.data_dir, "env", "keys", "ls", "--tenant", "team-a")
    assert (listed["id"], listed["max_envs"]) == (made["id"], 2)
    assert "key" not in listed
    assert made["id"] in astra(up.data_dir, "env", "keys", "ls").stdout
    shown = astra(up.data_dir, "env", "keys", "create", "team-b", "trainer")
    assert shown.stdout.startswith("astra_")
    assert "not shown again" in shown.stderr
    (revoked,) = documents(up.data_dir, "env", "keys", "revoke", made["id"])
    assert revoked["revoked_at"]
    for wrong, code in (
        (("create", "Team A", "agent"), 2),
        (("create", "a", "king"), 2),
        (("revoke", "key_" + "0" * 16), 1),
    ):
        assert astra(up.data_dir, "env", "keys", *wrong).returncode == code


def test_an_unsound_arena_is_refused(up: Any, astra: Any, tmp_path: Path) -> None:
    spec = json.loads(EXAMPLES[0].read_text())
    spec["prompt"] += " The answers are " + ", ".join(str(t["answer"]["value"]) for t in spec["subtasks"])
    leaky = tmp_path / "leaky.json"
    leaky.write_text(json.dumps(spec))
    for verb in ("check", "publish"):
        refused = astra(up.data_dir, "arena", verb, str(leaky))
        assert refused.returncode == 1
        assert "✗" in refused.stdout
    leaky.write_text('{"domain": 1}')
    wrong = astra(up.data_dir, "arena", "check", str(leaky))
    assert wrong.returncode == 2
    assert "domain" in wrong.stderr


def test_an_arena_travels_in_a_file(up: Any, astra: Any, documents: Any, tmp_path: Path) -> None:
    (published,) = documents(up.data_dir, "arena", "publish", str(EXAMPLES[0]))
    carried = tmp_path / "arena.json"
    assert astra(up.data_dir, "arena", "export", published["id"], "-o", str(carried)).returncode == 0
    assert astra(up.data_dir, "arena", "export", published["id"]).stdout == carried.read_text()
    (again,) = documents(up.data_dir, "arena", "import", str(carried))
    assert (again["id"], again["created"]) == (published["id"], False)
    assert again["soundness"]["gate"] >= 3
    for named in (str(carried), published["id"]):
        (report,) = documents(up.data_dir, "arena", "check", named)
        assert report["sound"]
        assert report["checks"] == again["soundness"]["checks"], "anybody gets the same report"
    shown = astra(up.data_dir, "arena", "check", str(carried))
    assert "mutants caught" in " ".join(shown.stdout.split())

    tampered = tmp_path / "tampered.json"
    tampered.write_text(carried.read_text().replace("M-2041", "M-2042"))
    for verb in ("check", "import"):
        refused = astra(up.data_dir, "arena", verb, str(tampered))
        assert refused.returncode == 1
        assert "it was edited" in refused.stderr
    body = json.loads(carried.read_text())
    tampered.write_text(json.dumps(body | {"schema_version": 9}))
    assert "newer" in astra(up.data_dir, "arena", "import", str(tampered)).stderr
    tampered.write_text("no JSON")
    assert astra(up.data_dir, "arena", "import", str(tampered)).returncode == 1
    assert astra(up.data_dir, "arena", "import", str(tmp_path / "absent.json")).returncode == 2
    # What is not sound is not sound wherever it comes from.
    tampered.write_text(json.dumps(body["spec"] | {"prompt": "It is 12 days late."}))
    unsound = astra(up.data_dir, "arena", "check", str(tampered))
    assert unsound.returncode == 1
    assert "stands in the prompt" in " ".join(unsound.stdout.split())


def test_synthesis(up: Any, astra: Any, documents: Any) -> None:
    ask = ("synth", "arenas", "retail", "--count", "2", "--seed", "1")
    jobs = documents(up.data_dir, *ask)
    assert len(jobs) == 2
    assert all(job["status"] in ("done", "failed") for job in jobs), jobs
    assert documents(up.data_dir, *ask) == jobs, "asked twice, done once"
    assert "outcome" in astra(up.data_dir, "synth", "jobs").stdout
    shown = astra(up.data_dir, "synth", "show", jobs[0]["id"])
    assert "Stages" in shown.stdout
    counted = astra(up.data_dir, "synth", "arenas", "retail", "--count", "2", "--seed", "1")
    assert "for each arena published" in astra(up.data_dir, "synth", "stats").stdout
    assert "astra arena ls" in counted.stderr
    nothing = astra(up.data_dir, "synth", "arenas", "alchemy", "--count", "1")
    assert nothing.returncode == 1
    assert "configure a model" in " ".join(nothing.stdout.split()), "the reason is told where it is noticed"
    unknown = astra(up.data_dir, "synth", "show", "job_" + "0" * 32)
    assert unknown.returncode == 1


def test_nothing_trained_yet(up: Any, astra: Any, documents: Any) -> None:
    assert documents(up.data_dir, "train", "ls") == []
    assert "astra train sft" in astra(up.data_dir, "train", "ls").stdout
    assert documents(up.data_dir, "eval", "ls") == []
    assert astra(up.data_dir, "train", "show", "run_" + "0" * 32).returncode == 1


def test_a_second_one_is_refused(up: Any, astra: Any, documents: Any) -> None:
    second = astra(up.data_dir, "up")
    assert second.returncode == 1
    assert f"process {up.process.pid}" in second.stderr


def test_ctrl_c_leaves_nothing(up: Any, documents: Any) -> None:
    documents(up.data_dir, "arena", "ls")
    family = up.family()
    code, said = up.end(signal.SIGINT)
    assert code == 0
    assert "ended" in said
    assert family.gone()
    assert not (up.data_dir / "endpoints.json").exists()
