"""Services that are not there, tokens, and every way to end `astra up`."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil


def test_nobody_answers(astra: Any, tmp_path: Path) -> None:
    ended = astra(tmp_path, "arena", "ls", "--url", "http://127.0.0.1:9")
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert "astra up" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_wrong_usage(astra: Any, tmp_path: Path) -> None:
    assert astra(tmp_path, "arena").returncode == 2
    assert astra(tmp_path, "registry", "import").returncode == 2
    assert astra(tmp_path, "eval", "run", "base:scratch", "--seeds", "a,b").returncode == 2


def test_what_makes_no_request_is_told_by_name(astra: Any, tmp_path: Path) -> None:
    refused = astra(tmp_path, "env", "create", "library")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("astra: arena_id: ")
    refused = astra(tmp_path, "env", "capacity", ASTRA_API_TOKEN="two\nlines")
    assert refused.returncode == 1
    assert refused.stderr.startswith("astra: ASTRA_API_TOKEN ")
    assert "two" not in refused.stderr


def test_kill_nine_ends_all_and_the_next_starts_and_hangs_up(start: Any, documents: Any, tmp_path: Path) -> None:
    up = start(tmp_path)
    documents(tmp_path, "registry", "ls")
    family = up.family()
    assert up.end(signal.SIGKILL)[0] == -signal.SIGKILL
    family.wait_gone()
    again = start(tmp_path)
    assert documents(tmp_path, "registry", "ls") == []
    family = again.family()
    assert len(family) >= 8, "four guards and four services"
    assert again.end(signal.SIGHUP)[0] == 0
    assert family.gone()


def test_a_dead_service_is_told_and_ends_the_rest(start: Any, tmp_path: Path) -> None:
    up = start(tmp_path)
    family = up.family()
    port = int(up.endpoints.urls["env-server"].rsplit(":", 1)[1])
    (victim,) = [process for process in family if _listens(process, port)]
    victim.kill()
    _, said = up.process.communicate(timeout=60)
    assert up.process.returncode == 1
    assert "env-server ended" in said
    assert "env-server.log" in said
    family.wait_gone()


def test_with_a_token(start: Any, astra: Any, documents: Any, tmp_path: Path) -> None:
    up = start(tmp_path, ASTRA_API_TOKEN="a-secret")
    assert documents(tmp_path, "arena", "ls") == []
    url = up.endpoints.urls["env-server"]
    refused = astra(tmp_path, "arena", "ls", "--url", url)
    assert refused.returncode == 1
    assert "ASTRA_API_TOKEN" in refused.stderr
    assert astra(tmp_path, "arena", "ls", "--url", url, ASTRA_API_TOKEN="a-secret").returncode == 0
    assert os.stat(tmp_path / "endpoints.json").st_mode & 0o077 == 0
    family = up.family()
    assert up.end(signal.SIGTERM)[0] == 0
    assert family.gone()


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        found = process.net_connections()
    except psutil.NoSuchProcess:  # a session of the sandbox that has just ended
        return False
    return any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in found)
