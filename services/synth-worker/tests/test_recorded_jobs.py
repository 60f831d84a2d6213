"""Jobs of a real language model, replayed through the real services: a sandbox, a gateway, an MCP server."""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astra_synth_worker
import httpx2
import pytest
from astra_proto.arenas import Arena
from astra_proto.jobs import Job, JobStatus
from astra_proto.messages import ToolMessage
from astra_proto.trajectories import Trajectory

from tests.recorded.account import RELEASE_CALLS, by_lot, by_recording, row_of
from tests.recorded.run import lot
from tests.recorded.tapes import ARENAS, CASSETTES, recorded

README = Path(__file__).parents[1] / "README.md"
TRAJECTORY = "trajectory_sqlite"


@dataclass
class Replay:
    """Real services around a worker whose model is a recording; its endpoint must never be called."""

    worker: httpx2.Client
    env_server: httpx2.Client
    endpoint: socket.socket

    def run(self, *names: str) -> dict[str, Job]:
        """The jobs by name, ended."""
        jobs = [{"key": name, "payload": recorded(name)["payload"], "max_attempts": 1} for name in names]
        queued = self.worker.post("/jobs", json={"jobs": jobs})
        assert queued.status_code == 202, queued.text
        ids = {item["key"]: item["id"] for item in queued.json()["items"]}
        return {name: self._ended(ids[name]) for name in names}

    def _ended(self, job_id: str) -> Job:
        while True:  # the test's own time limit ends it
            job = Job.model_validate(self.worker.get(f"/jobs/{job_id}").json())
            if job.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
                return job
            time.sleep(0.1)

    def live_calls(self) -> int:
        """Connections to the endpoint of the model; those that nobody took wait in the queue."""
        try:
            self.endpoint.accept()[0].close()
        except BlockingIOError:
            return 0
        return 1 + self.live_calls()


@pytest.fixture(scope="module")
def replay(
    start: Callable[..., Any], registry_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Replay]]:
    """``replay()`` starts a worker on all recordings; the other services are shared."""
    folder = tmp_path_factory.mktemp("replay")
    env_server = start("env-server", database_url=f"sqlite+aiosqlite:///{folder}/env.db")
    tape = folder / "all.jsonl"
    tape.write_text("".join(path.read_text(encoding="utf-8") for path in sorted(CASSETTES.glob("*.jsonl"))))
    opened: list[Any] = []

    def begin() -> Replay:
        endpoint = socket.create_server(("127.0.0.1", 0))
        endpoint.setblocking(False)
        worker = start(
            "synth-worker",
            database_url=f"sqlite+aiosqlite:///{folder}/synth{len(opened)}.db",
            tool_registry_url=registry_url,
            env_server_url=env_server.url,
            llm="openai",
            llm_base_url=f"http://127.0.0.1:{endpoint.getsockname()[1]}/v1",
            llm_model="bridge",
            cassette=tape,
            cassette_mode="replay",
        )
        synth, envs = (
            httpx2.Client(base_url=url, timeout=120, trust_env=False) for url in (worker.url, env_server.url)
        )
        opened.extend([endpoint, synth, envs])
        return Replay(synth, envs, endpoint)

    yield begin
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def faithful(replay: Callable[[], Replay]) -> Replay:
    """A worker with the prompts as they are."""
    return replay()


@pytest.fixture(scope="module")
def ended(faithful: Replay) -> dict[str, Job]:
    """Every recorded job, played to its end."""
    return faithful.run(*ARENAS, TRAJECTORY)


@pytest.mark.parametrize("name", [*ARENAS, TRAJECTORY])
def test_what_the_model_made_is_made_again(faithful: Replay, ended: dict[str, Job], name: str) -> None:
    job = ended[name]
    assert job.status is JobStatus.DONE, job.outcome
    made = recorded(name)["made"]
    assert {key: job.outcome[key] for key in made} == made
    lines = (CASSETTES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    usage = job.outcome["usage"]
    assert isinstance(usage, dict)
    assert usage["calls"] == len(lines), "every line was asked for, and nothing else"
    assert usage["malformed"] == usage["repaired"] == 0
    assert faithful.live_calls() == 0


@pytest.mark.parametrize("name", ARENAS)
def test_its_arenas_are_sound_and_pay_in_full(faithful: Replay, ended: dict[str, Job], name: str) -> None:
    arena_id = recorded(name)["made"]["arena_id"]
    arena = Arena.model_validate(faithful.env_server.get(f"/arenas/{arena_id}/full").json())
    assert arena.soundness.sound
    assert arena.spec.provenance.teacher == "bridge"
    assert arena.spec.provenance.llm_calls < RELEASE_CALLS
    job = recorded(name)["payload"]
    assert arena.spec.language == job.get("language", "en")
    assert arena.spec.prompt.endswith(job.get("question", ""))

    env = faithful.env_server.post("/envs", json={"arena_id": arena_id}).json()["id"]
    faithful.env_server.post(f"/envs/{env}/reset", json={}).raise_for_status()
    rewards = []
    for task in arena.spec.subtasks:
        action = {"tool_calls": [task.golden_call.model_dump(mode="json")]}
        step = faithful.env_server.post(f"/envs/{env}/step", json={"action": action}).json()
        rewards.append(step["reward"])
    assert sum(rewards) == pytest.approx(1.0)
    assert (step["terminated"], step["info"]["reason"]) == (True, "solved")


def test_the_readme_tells_what_they_have_cost(ended: dict[str, Job]) -> None:
    readme = README.read_text(encoding="utf-8")
    for table in (by_recording([row_of(ended[name]) for name in ARENAS]), by_lot(lot())):
        assert table in readme, "run `make recorded`"


def test_its_trajectory_is_kept_for_what_the_server_really_said(faithful: Replay, ended: dict[str, Job]) -> None:
    trajectory_id = recorded(TRAJECTORY)["made"]["trajectory_id"]
    made = Trajectory.model_validate(faithful.worker.get(f"/trajectories/{trajectory_id}").json())
    assert (made.kept, made.reason, made.teacher) == (True, "", "bridge")
    assert None not in made.score.model_dump().values()
    said = [message.content for message in made.messages if isinstance(message, ToolMessage)]
    assert [message.name for message in made.messages if isinstance(message, ToolMessage)] == made.task.chain
    assert said[0] == "Table created successfully"
    assert "50.25" in str(said[2])
    assert "created successfully" not in (CASSETTES / f"{TRAJECTORY}.jsonl").read_text(encoding="utf-8")


def test_another_prompt_is_not_answered_from_the_recording(
    replay: Callable[[], Replay], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(astra_synth_worker.__file__).parent
    copy = shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for changed in ("agent_turn.md.j2", "tool_code.en.md.j2"):
        prompt = copy / "prompts" / changed
        prompt.write_text(prompt.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    stale = replay()
    english = [name for name in ARENAS if recorded(name)["payload"].get("language", "en") == "en"]
    asked = {TRAJECTORY: "agent_turn", **dict.fromkeys(english[:1], "tool_code")}
    for name, job in stale.run(*asked).items():
        assert (job.status, job.outcome["reason"]) == (JobStatus.DEAD, "llm_failed")
        assert f"prompt '{asked[name]}'" in str(job.outcome["detail"])
        assert "not in all.jsonl for model 'bridge': record it again" in str(job.outcome["detail"])
    assert stale.live_calls() == 0
