"""OpenEnv 0.10's GenericEnvClient, as PyPI has it, plays our envs."""

import json
from pathlib import Path

import httpx2
import pytest

from tests.bench import servers

from .conftest import LIBRARY, Ask, Running


def test_it_plays_an_episode_with_all_its_frames(running: Running, ask: Ask) -> None:
    told = ask("openenv_episode.py", f"{running.url}/arenas/{running.arena_id}", "play")
    reset = told["reset"]
    assert reset["reward"] is None
    assert reset["done"] is False
    assert reset["observation"]["messages"][0]["role"] == "user"
    names = {tool["function"]["name"] for tool in reset["observation"]["tools"]}
    listed = told["tools"]["observation"]["tools"]
    assert {tool["name"] for tool in listed} == names
    assert all(tool["input_schema"]["type"] == "object" for tool in listed)
    unknown = told["unknown"]
    assert unknown["observation"]["error"]["error_type"] == "invalid_args"
    assert "no_such_tool" in unknown["observation"]["error"]["message"]
    assert unknown["metadata"]["error_class"] == "policy"
    first, second = told["first"], told["second"]
    assert first["observation"]["tool_name"] == "find_overdue_loan"
    assert json.loads(first["observation"]["result"])["days_late"] == 12
    assert first["observation"]["error"] is None
    assert first["done"] is False
    assert second["done"] is True
    assert first["reward"] + second["reward"] == pytest.approx(2 * 2 / (2 + 3)), "three calls, two of two solved"
    assert told["state"]["step_count"] == 2
    assert told["state"]["episode_id"] == "mine"
    assert told["state"]["seed"] == 7
    assert told["native"]["observation"]["messages"][0]["tool_call_id"] == "a"
    assert told["native"]["reward"] > 0
    assert told["answer"]["done"] is True
    refused = told["refused"]
    assert "EXECUTION_ERROR" in refused["early"]
    assert "reset" in refused["early"]
    assert "VALIDATION_ERROR" in refused["bad"]
    assert "tool_calls.0.name" in refused["bad"]
    assert "over" in refused["late"]


def test_an_env_outlives_its_connection_and_an_arenas_connection_takes_its_env_along(
    running: Running, ask: Ask
) -> None:
    env_id = running.env()
    told = ask("openenv_episode.py", f"{running.url}/envs/{env_id}", "go_on")
    assert sum(told["rewards"]) == pytest.approx(1.0)
    assert told["state"]["step_count"] == 1
    assert [step["reward"] for step in running.trajectory(env_id)["steps"]] == told["rewards"]
    before = running.live()
    told = ask("openenv_episode.py", f"{running.url}/arenas/{running.arena_id}", "many")
    assert told["rewards"] == pytest.approx([1.0] * 16)
    running.until(lambda: running.live() <= before)  # those of other tests may have ended meanwhile


def test_the_client_without_asyncio(running: Running, ask: Ask) -> None:
    told = ask("openenv_episode.py", f"{running.url}/arenas/{running.arena_id}", "play_in_step")
    assert sum(told["rewards"]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("path", "code", "word"),
    [
        ("/envs/env_" + "0" * 32, "SESSION_ERROR", "no env"),
        ("/envs/x", "SESSION_ERROR", "no env"),
        ("/arenas/ar_" + "0" * 32, "SESSION_ERROR", "ar_0"),
        ("/arenas/x", "SESSION_ERROR", "arena_id"),
    ],
)
def test_what_is_not_there_is_told_in_a_frame(running: Running, ask: Ask, path: str, code: str, word: str) -> None:
    refused = ask("openenv_episode.py", running.url + path, "knock")["refused"]
    assert code in refused
    assert word in refused


def test_a_full_server_and_a_token(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTRA_ENV_SERVER_MAX_ENVS", "1")
    monkeypatch.setenv("ASTRA_ENV_SERVER_API_TOKEN", "s3cret")
    with servers.env_server(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/db.sqlite") as server:
        headers = {"Authorization": "Bearer s3cret"}
        url = f"http://127.0.0.1:{server.port}"
        spec = json.loads(LIBRARY.read_text())
        arena_id = httpx2.post(f"{url}/arenas", json=spec, headers=headers, timeout=60).json()["id"]
        told = ask("openenv_episode.py", f"{url}/arenas/{arena_id}", "with_token", "s3cret")
        assert told["reward"] > 0
        assert "401" in told["refused"]
        httpx2.post(f"{url}/envs", json={"arena_id": arena_id}, headers=headers).raise_for_status()
        told = ask("openenv_episode.py", f"{url}/arenas/{arena_id}", "with_token_full", "s3cret")
        assert "CAPACITY_REACHED" in told["refused"]
