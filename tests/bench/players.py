"""What a client does, protocol by protocol: begins its episodes, takes steps in a loop, ends them."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake

from tests.bench.client import Http

EPISODE_STEPS = 30
"""Steps that are taken in one env before the next: within the 32 that an env allows by default."""


class Lacking(Exception):
    """The server does not offer what is to be measured; the text says what."""


class Broken(Exception):
    """A step was answered, but not as a step that worked."""


@dataclass(frozen=True)
class Call:
    """A tool call that works in the arena and does not end the episode."""

    name: str
    arguments: dict[str, Any]

    def action(self) -> dict[str, Any]:
        """The call as the action of a step."""
        return {"tool_calls": [{"id": "call_0", "name": self.name, "arguments": self.arguments}]}


@dataclass(frozen=True)
class Table:
    """Where and what to play."""

    port: int
    arena_id: str
    calls: tuple[Call, ...]

    def turns(self) -> Iterator[Call]:
        """The calls, over and over."""
        return itertools.cycle(self.calls)


class Player(Protocol):
    """One client in a closed loop."""

    width: int
    """Env steps that one operation takes."""

    async def begin(self, operations: int) -> None:
        """Open what so many operations need."""

    async def play(self) -> int:
        """One operation; gives the size of the reply in bytes."""

    async def end(self) -> None:
        """Close what was opened."""


async def open_env(http: Http, arena_id: str) -> str:
    """A new env that was reset, by its id."""
    made = await http.json("POST", "/envs", {"arena_id": arena_id})
    await http.json("POST", f"/envs/{made['id']}/reset", {})
    return str(made["id"])


def worked(reply: bytes, steps: int = 1) -> int:
    """The size of the reply; raises Broken unless each of its steps ran its tool well."""
    if reply.count(b'"error_class":null') != steps:
        raise Broken(f"not a step that worked: {reply[:400]!r}")
    return len(reply)


async def talk(connection: ClientConnection, frame: str) -> str:
    """The answer to a frame; raises Broken unless it is an observation without an error."""
    await connection.send(frame)
    answer = str(await connection.recv())
    if not answer.startswith('{"type":"observation"') or '"error":{' in answer or '"is_error":true' in answer:
        raise Broken(f"not a step that worked: {answer[:400]}")
    return answer


class Rest:
    """``POST /envs/{id}/step``, each step with an id, over one connection."""

    width = 1

    def __init__(self, table: Table, _clients: int) -> None:
        self._table = table
        self._bodies = (
            b'{"action":%s,"step_id":"step-%d"}' % (json.dumps(call.action()).encode(), n)
            for n, call in enumerate(table.turns())
        )
        self._envs: list[str] = []
        self._taken = 0

    async def begin(self, operations: int) -> None:
        """As many envs as the steps need."""
        self._http = await Http.open(self._table.port)
        for _ in range(-(-operations // EPISODE_STEPS)):
            self._envs.append(await open_env(self._http, self._table.arena_id))

    async def play(self) -> int:
        """One step of the env whose turn it is."""
        env = self._envs[self._taken // EPISODE_STEPS]
        self._taken += 1
        return worked(await self._http.send("POST", f"/envs/{env}/step", next(self._bodies)))

    async def end(self) -> None:
        """Delete the envs."""
        for env in self._envs:
            await self._http.send("DELETE", f"/envs/{env}")
        await self._http.close()


class Batch:
    """``POST /batch/step``: one client, one step of as many envs as there would be clients in one request."""

    def __init__(self, table: Table, clients: int) -> None:
        self._table = table
        self._turns = table.turns()
        self.width = clients
        self._envs: list[list[str]] = []
        self._taken = 0

    async def begin(self, operations: int) -> None:
        """Sets of envs, one for every 30 operations."""
        self._http = await Http.open(self._table.port)
        paths = (await self._http.json("GET", "/openapi.json"))["paths"]
        if "/batch/step" not in paths:
            raise Lacking("the server has no route POST /batch/step")
        for _ in range(-(-operations // EPISODE_STEPS)):
            self._envs.append([await open_env(self._http, self._table.arena_id) for _ in range(self.width)])

    async def play(self) -> int:
        """One request."""
        step = {"action": next(self._turns).action(), "step_id": f"step-{self._taken}"}
        envs = self._envs[self._taken // EPISODE_STEPS]
        self._taken += 1
        body = json.dumps({"steps": [{"env_id": env, **step} for env in envs]}).encode()
        return worked(await self._http.send("POST", "/batch/step", body), self.width)

    async def end(self) -> None:
        """Delete the envs."""
        for env in itertools.chain.from_iterable(self._envs):
            await self._http.send("DELETE", f"/envs/{env}")
        await self._http.close()


class Frames:
    """OpenEnv's frames over a WebSocket: a connection is an episode."""

    width = 1
    path = "/ws"
    episode_steps: int | None = None
    """Steps after which the next connection is used; None for one connection that lasts."""

    def __init__(self, table: Table, _clients: int) -> None:
        self._table = table
        self._steps = (json.dumps({"type": "step", "data": self.data(call)}) for call in table.turns())
        self._connections: list[ClientConnection] = []
        self._taken = 0

    def data(self, call: Call) -> dict[str, Any]:
        """The action as OpenEnv's tool environments take it."""
        return {"type": "call_tool", "tool_name": call.name, "arguments": call.arguments}

    async def begin(self, operations: int) -> None:
        """Connect and reset, as often as the steps need."""
        url = f"ws://127.0.0.1:{self._table.port}{self.path.format(arena_id=self._table.arena_id)}"
        for _ in range(-(-operations // self.episode_steps) if self.episode_steps else 1):
            try:
                self._connections.append(await connect(url, compression=None, ping_interval=None))
            except InvalidHandshake as error:
                raise Lacking(f"the server has no WebSocket at {self.path}: {error}") from None
            await talk(self._connections[-1], '{"type":"reset","data":{}}')

    async def play(self) -> int:
        """One step of the episode whose turn it is."""
        connection = self._connections[self._taken // self.episode_steps if self.episode_steps else 0]
        self._taken += 1
        return len(await talk(connection, next(self._steps)))

    async def end(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            await connection.close()


class ArenaFrames(Frames):
    """The same frames with the env server, which makes an env of the arena for each connection."""

    path = "/arenas/{arena_id}/ws"
    episode_steps = EPISODE_STEPS


class EchoFrames(Frames):
    """OpenEnv's tool environment: the tool's text is as long as what the arena's tools give."""

    def data(self, call: Call) -> dict[str, Any]:
        """A call of its one tool."""
        return {"type": "call_tool", "tool_name": "echo", "arguments": {"message": json.dumps(call.arguments)}}


class PlainFrames(Frames):
    """OpenEnv without MCP."""

    def data(self, call: Call) -> dict[str, Any]:
        """The action of the plain environment."""
        return {"message": json.dumps(call.arguments)}


PLAYERS: dict[str, Callable[[Table, int], Player]] = {
    "rest": Rest,
    "batch": Batch,
    "ws": ArenaFrames,
    "echo": EchoFrames,
    "plain": PlainFrames,
}
