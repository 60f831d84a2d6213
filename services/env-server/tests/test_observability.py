"""What can be seen of a running server: metrics, their dashboard, and the ids in its logs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import structlog
from astra_env_server.metrics import MAX_DOMAINS, Metrics
from astra_env_server.sandbox.base import Stats
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

pytestmark = pytest.mark.anyio
DASHBOARD = Path(__file__).parents[3] / "deploy" / "dashboards" / "env-server.json"


def samples(text: str) -> dict[str, float]:
    """Every sample by its name with its labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def test_a_step_is_seen_in_the_metrics(serve: Any, library: Any, golden: Any) -> None:
    async with serve() as server:
        play = await server.play(await server.publish(library))
        await play.call(*golden[0])
        short = await server.post("/envs", json={"arena_id": await server.publish(library), "ttl_s": 0.001})
        while (await server.get(f"/envs/{short.json()['id']}")).json()["status"] != "expired":
            pass
        seen = samples((await server.get("/metrics")).text)
        tier = (await server.get("/capacity")).json()["isolation"]
    domain, topology = library["domain"], library["topology"]
    where = f'domain="{domain}",tier="{tier}",topology="{topology}"'
    found = {name: value for name, value in seen.items() if name.startswith("astra_env_step_seconds_count")}
    assert sum(found.values()) == 1
    assert all(part in next(iter(found)) for part in where.split(","))
    assert seen["astra_env_log_commit_steps_sum"] == 2, "a reset is written with the steps"
    assert seen["astra_env_sandbox_forks_total"] == 1
    assert seen["astra_env_sessions"] >= 1
    assert seen["astra_env_runners"] >= 1
    assert seen["astra_env_max_runners"] == 8
    assert seen["astra_env_pool_depth"] >= 0
    assert seen['astra_env_orphans_reaped_total{kind="env"}'] == 1
    assert seen["astra_env_infra_failures_total"] == 0


async def test_free_text_does_not_make_metrics_without_end() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for n in range(MAX_DOMAINS + 50):
        for _ in range(2):
            metrics.step_took(0.01, "bubblewrap", f"domain {n}", "single_hop")
    text = generate_latest(registry).decode()
    counts = {k: v for k, v in samples(text).items() if k.startswith("astra_env_step_seconds_count")}
    assert len(counts) == MAX_DOMAINS + 1
    assert next(v for k, v in counts.items() if 'domain="other"' in k) == 100


def test_what_dead_servers_left_is_counted_once() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for reaped in (0, 2, 2, 3):
        metrics.sandbox(Stats("docker", runners=1, max_runners=2, warm=1, sessions=0, reaped=reaped))
    seen = samples(generate_latest(registry).decode())
    assert seen['astra_env_orphans_reaped_total{kind="container"}'] == 3
    assert seen['astra_env_orphans_reaped_total{kind="env"}'] == 0


def test_every_metric_is_in_the_readme() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    known = {family.name + "_total" * (family.type == "counter") for family in registry.collect()}
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    told = set(re.findall(r"`(astra_env_\w+)", readme))
    assert told == known


async def test_the_dashboard_asks_for_metrics_that_there_are(serve: Any, library: Any) -> None:
    board = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(asked) >= 10
    async with serve() as server:
        play = await server.play(await server.publish(library))
        await play.call("nothing")
        text = (await server.get("/metrics")).text
    # Only what is there from the start, or after a step: a name in the help lines is a family that exists.
    families = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    samples_of = families | {f"{name}{end}" for name in families for end in ("_bucket", "_sum", "_count")}
    for expression in asked:
        names = re.findall(r"\bastra_\w+", expression)
        assert names, expression
        assert set(names) <= samples_of, f"{expression}: {set(names) - samples_of} is in no /metrics"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


async def test_logs_say_which_env_and_which_step(serve: Any, empty_database: str, library: Any, golden: Any) -> None:
    async with serve(empty_database) as one, serve(empty_database) as two:
        play = await one.play(await one.publish(library))
        await play.call(*golden[0], step_id="first")
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            step = {"action": {"tool_calls": [{"name": golden[1][0], "arguments": golden[1][1]}]}, "step_id": "second"}
            assert (await two.post(f"/envs/{play.env_id}/step", json=step)).status_code == 200
    (rebuilt,) = [line for line in lines if line["event"] == "env.rebuilt"]
    assert (rebuilt["env_id"], rebuilt["step_id"]) == (play.env_id, "second")
    assert re.fullmatch("[0-9a-f]{12}", rebuilt["request_id"])
