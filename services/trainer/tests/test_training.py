"""The whole way over HTTP: SFT, reinforcement against live envs, evaluation, with processes killed on the way."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx2
import psutil
import pytest
from astra_proto.runs import CreateEvaluation
from astra_trainer.evaluations.solve_rates import policy_name
from astra_trainer.models import WorkRow

pytest.importorskip("torch")
pytest.importorskip("trl")

Json = dict[str, Any]
SFT: Json = {"kind": "sft", "max_steps": 100, "batch_size": 8, "learning_rate": 0.008}
ENDED = ("done", "failed", "stopped")


class Trainer(httpx2.Client):
    """A client of a trainer, and its folder."""

    def __init__(self, service: Any, folder: Path) -> None:
        super().__init__(base_url=service.url, timeout=30)
        self.service, self.folder = service, folder

    def begin(self, key: str, config: Json) -> Json:
        reply = self.post("/runs", json={"key": key, "config": config})
        assert reply.status_code == 202, reply.text
        return dict(reply.json())

    def until(self, path: str, done: Callable[[Json], bool]) -> Json:
        """Ask until it is so. The patience is for a machine on which ten others work."""
        for _ in range(2_000):
            found = dict(self.get(path).json())
            if done(found):
                return found
            time.sleep(0.2)
        raise AssertionError(f"{path} is still {found}")

    def run(self, key: str, config: Json) -> Json:
        """Train to the end."""
        run = self.until(f"/runs/{self.begin(key, config)['id']}", lambda r: r["status"] in ENDED)
        assert run["status"] == "done", run["detail"]
        return run

    def evaluation(self, key: str, **request: Any) -> Json:
        reply = self.post("/evaluations", json={"key": key, **request})
        assert reply.status_code == 202, reply.text
        return self.until(f"/evaluations/{reply.json()['id']}", lambda e: e["status"] in ENDED)

    def evaluate(self, key: str, **request: Any) -> Json:
        found = self.evaluation(key, **request)
        assert found["status"] == "done", found["detail"]
        return dict(found["result"])

    def points(self, run_id: str) -> list[Json]:
        return list(self.get(f"/runs/{run_id}/metrics").json()["items"])

    def engine(self) -> psutil.Process:
        (process,) = psutil.Process(self.service.process.pid).children()
        return process


@pytest.fixture(scope="module")
def trainer(serve_trainer: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    folder = tmp_path_factory.mktemp("trainer")
    with serve_trainer(folder) as service, Trainer(service, folder) as client:
        yield client


@pytest.fixture(scope="module")
def sft(trainer: Trainer) -> Json:
    return trainer.run("sft", SFT)


@pytest.mark.timeout(600)
def test_supervised_training_lowers_the_loss_and_says_what_it_was_made_with(trainer: Trainer, sft: Json) -> None:
    losses = [point["values"]["loss"] for point in trainer.points(sft["id"])]
    assert len(losses) == 10
    assert fmean(losses[-3:]) < 0.5 * losses[0]
    assert sft["step"] == sft["total_steps"] == 100
    manifest = json.loads((trainer.folder / sft["id"] / "manifest.json").read_text())
    assert manifest["config"]["seed"] == 0
    assert manifest["data"]["sft.jsonl"]["rows"] == 10
    assert manifest["versions"]["torch"]
    assert trainer.begin("sft", SFT) == sft


@pytest.mark.timeout(600)
def test_reinforcement_moves_the_weights_and_leaves_no_env(trainer: Trainer, sft: Json, env_server: Any) -> None:
    config = {
        "kind": "rl", "base": sft["id"], "max_steps": 2, "groups": 4, "group_size": 4, "learning_rate": 1e-3,
        "max_turns": 3,
    }  # fmt: skip
    run = trainer.run("rl", config)
    points = trainer.points(run["id"])
    assert [point["step"] for point in points] == [1, 2]
    assert all(0 <= point["values"]["reward"] <= 1 for point in points)
    assert any(point["values"]["groups_kept"] > 0 for point in points), "no group has spread: nothing was learnt from"
    before, after = ((trainer.folder / r["id"] / "policy" / "model.safetensors").read_bytes() for r in (sft, run))
    assert len(before) == len(after)
    assert before != after
    assert httpx2.get(f"{env_server.url}/capacity").json()["envs"] == 0


@pytest.mark.timeout(600)
def test_an_untrained_policy_earns_nothing_and_a_trained_one_something(
    trainer: Trainer, sft: Json, env_server: Any
) -> None:
    untrained = trainer.evaluate("scratch", policy="base:scratch")
    trained = trainer.evaluate("trained", policy=sft["id"], seeds=[0, 1], temperature=1.0)
    assert (untrained["f1"], untrained["infra_failures"], untrained["episodes"]) == (0.0, 0, 4)
    assert trained["f1"] > 0
    assert trained["episodes"] == 8
    assert {len(rewards) for rewards in trained["by_arena"].values()} == {2}
    # The arenas say by now how hard they were found, under names that tell the policies apart.
    sampled = f"sft:{sft['id'][4:12]}"
    for arena_id, rewards in trained["by_arena"].items():
        rates = httpx2.get(f"{env_server.url}/arenas/{arena_id}").json()["solve_rates"]
        assert rates["base:scratch greedy"]["solve_rate"] == 0.0
        assert (rates[sampled]["episodes"], rates[sampled]["f1"]) == (2, pytest.approx(fmean(rewards)))
        again = trainer.post(f"/evaluations/{rates[sampled]['source']}/solve-rates")
        assert again.json() == {"recorded": 4, "unknown": []}
        assert httpx2.get(f"{env_server.url}/arenas/{arena_id}").json()["solve_rates"].keys() == rates.keys()


def test_distractors_are_asked_for_and_missed_where_there_is_no_registry(trainer: Trainer) -> None:
    found = trainer.evaluation("distracted", policy="base:scratch", limit=1, distractors={"high": 1})
    assert found["status"] == "failed"
    assert "ASTRA_ENV_SERVER_TOOL_REGISTRY_URL" in found["detail"]
    refused = trainer.post(f"/evaluations/{found['id']}/solve-rates")
    assert (refused.status_code, "no result" in refused.json()["detail"]) == (409, True)


def test_policies_have_names_that_tell_them_apart() -> None:
    def name(**asked: Any) -> str:
        run = WorkRow(id="run_" + "0f3c9a12" * 4, request={"kind": "rl"}) if "policy" not in asked else None
        return policy_name(CreateEvaluation.model_validate({"key": "k", "policy": "run_", **asked}), run)

    assert name(temperature=1.0) == "rl:0f3c9a12"
    assert name() == "rl:0f3c9a12 greedy"
    assert name(policy="base:scratch", temperature=1.0, distractors={"high": 2, "low": 1}) == "base:scratch +3"
    assert name(name="strong") == "strong"


@pytest.mark.timeout(900)
def test_a_run_survives_its_engine_its_service_and_a_stop(serve_trainer: Any, tmp_path: Path) -> None:
    config = SFT | {"max_steps": 220, "batch_size": 4}
    with serve_trainer(tmp_path) as service, Trainer(service, tmp_path) as client:
        path = f"/runs/{client.begin('long', config)['id']}"
        client.until(path, lambda run: run["step"] > 50)
        client.engine().send_signal(signal.SIGKILL)
        run = client.until(path, lambda run: run["status"] in ENDED)
        assert (run["status"], "SIGKILL" in run["detail"]) == ("failed", True)
        client.begin("long", config)
        client.until(path, lambda run: run["step"] > 100)
        engine = client.engine()
        service.kill()
        assert psutil.wait_procs([engine], timeout=30)[0], "the engine outlived its service"
    with serve_trainer(tmp_path) as service, Trainer(service, tmp_path) as client:
        client.until(path, lambda run: run["step"] > 150)
        stopped = client.post(f"{path}/stop").json()
        if stopped["status"] != "stopped":
            stopped = client.until(path, lambda run: run["status"] in ENDED)
        assert stopped["status"] == "stopped", stopped
        client.begin("long", config)
        run = client.until(path, lambda run: run["status"] in ENDED)
        assert (run["status"], run["step"]) == ("done", 220), run["detail"]
        steps = [point["step"] for point in client.points(run["id"])]
        assert steps == list(range(10, 221, 10)), "each step is logged once, however often it was begun"
    log = (tmp_path / run["id"] / "engine.log").read_text()
    assert log.count("going on from step") == 3


def test_a_run_without_arenas_fails_and_says_what_to_do(serve_trainer: Any, trainer: Trainer) -> None:
    reply = trainer.post("/evaluations", json={"key": "none", "policy": "base:scratch", "split": "validation"})
    found = trainer.until(f"/evaluations/{reply.json()['id']}", lambda e: e["status"] in ENDED)
    assert found["status"] == "failed"
    assert "synthesize arenas first" in found["detail"]
