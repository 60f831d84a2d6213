"""The whole road with everything small: real services, real tool servers, real sandbox, real training."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("torch", reason="the CPU training engine is not installed (make setup)")


def start(folder: Path) -> subprocess.Popen[str]:
    where = ["--data-dir", str(folder / "data"), "--out", str(folder / "out")]
    return subprocess.Popen(
        [sys.executable, "-m", "astra", "demo", "--fast", *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "160"},
    )


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo that was broken off with Ctrl-C as soon as something was made."""
    folder = tmp_path_factory.mktemp("demo")
    process = start(folder)
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if "✓ tool servers" in line:
            break
    else:
        pytest.fail("".join(said))
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, "".join(said) + rest
    alive = [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not alive
    return folder


@pytest.mark.timeout(600)
def test_it_goes_on_and_ends_with_a_report(broken_off: Path) -> None:
    process = start(broken_off)
    said, _ = process.communicate(timeout=500)
    assert process.returncode == 0, said
    report = json.loads((broken_off / "out" / "report.json").read_text())
    assert report["arenas"]["published"] >= 8
    assert report["arenas"]["oracle_reward_min"] == pytest.approx(1.0)
    assert report["arenas"]["held_out_seen"] == 0
    assert set(report["trajectories"]) >= {"kept"}
    assert report["trajectories"]["kept"] >= 1
    assert report["trajectories"]["tool_results"] >= report["trajectories"]["kept"]
    assert set(report["eval"]) == {"base", "sft", "rl"}
    for score in report["eval"].values():
        assert set(score) >= {"f1", "f1_std", "solved", "calls_per_solved"}
        assert 0 <= score["f1"] <= 1
        assert score["infra_failures"] == 0
    assert len(report["servers"]) >= 3
    assert report["sft_loss"][0][1] > report["sft_loss"][-1][1]
    assert report["rl_reward"]
    assert report["wall_s"] > 0
    assert report["verdict"] in " ".join(said.split())
    picture = (broken_off / "out" / "learning.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    _again_is_quick_and_the_same(broken_off, report)


def _again_is_quick_and_the_same(folder: Path, first: dict[str, Any]) -> None:
    process = start(folder)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    second = json.loads((folder / "out" / "report.json").read_text())
    for made in ("arenas", "trajectories", "eval", "rl_reward"):
        assert second[made] == first[made], "what is done is not done again"
