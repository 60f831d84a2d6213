"""What a sandbox offers, whichever tier it runs in.

SandboxError
├── BundleRejected     the arena's code does not import; names the tool
├── SandboxFull        no room for one more runner or session at present
├── SandboxLost        a runner or session died for no fault of the call
└── NoIsolation        this machine offers no tier that was asked for
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from astra_proto.envs import ErrorClass
from astra_proto.state import MAX_STATE_BYTES, MAX_STATE_DEPTH


class SandboxError(Exception):
    """The sandbox could not do it."""


class BundleRejected(SandboxError):
    """The code of a tool does not import, or does not define its function.

    ``tool`` is the tool at fault (None when the fault cannot be laid on one); ``error_class`` is TOOL, or TIMEOUT when
    the import ran past its time.
    """

    def __init__(self, tool: str | None, detail: str, error_class: ErrorClass = ErrorClass.TOOL) -> None:
        self.tool = tool
        self.detail = detail
        self.error_class = error_class
        super().__init__(f"tool {tool!r}: {detail}" if tool else detail)


class SandboxFull(SandboxError):
    """Every runner is in use, or the runner of this arena holds all the sessions it may."""


class SandboxLost(SandboxError):
    """A runner or session died for no fault of the call: open another and replay."""


class NoIsolation(SandboxError):
    """No tier that was asked for works on this machine; the text says why for each."""


@dataclass(frozen=True)
class ToolCode:
    """One tool: Python source that defines a function called ``name``."""

    name: str
    code: str


@dataclass(frozen=True)
class Bundle:
    """The code of one arena, in order. A runner serves one bundle for its whole life."""

    tools: tuple[ToolCode, ...]

    @cached_property
    def key(self) -> str:
        """The hash of its content, hex."""
        digest = hashlib.sha256()
        for tool in self.tools:
            for part in (tool.name, tool.code):
                raw = part.encode("utf-8", "surrogatepass")
                digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.hexdigest()


@dataclass(frozen=True)
class CallOutcome:
    """What one call gave: text of at most ``Limits.output_bytes``, valid Unicode without NUL."""

    ok: bool
    output: str
    error_class: ErrorClass | None
    state: bytes | None = None
    """What the call made of the state it was given, as ``state_json`` writes it; None where it changed nothing. It is
    what the arena's code says it is, and no more than that."""


@dataclass(frozen=True)
class SharedState:
    """What the calls of a session begin with in a stateful arena."""

    json: bytes
    """As ``state_json`` writes it."""
    tools: frozenset[str]
    """Those that take it; the others are called without."""


@dataclass(frozen=True)
class Limits:
    """What a bundle and its sessions may use."""

    memory_bytes: int = 512 * 2**20
    """Address space of the import and of each session."""
    output_bytes: int = 2**20
    """One result, as UTF-8."""
    bundle_bytes: int = 16 * 2**20
    """All the code of an arena."""
    import_s: float = 10.0
    """Seconds that the import of a whole bundle may take."""
    open_s: float = 10.0
    """Seconds until a new session says that it is locked."""
    cpu_s: int = 600
    """Processor seconds of one session in its whole life: a backstop, the host keeps the deadline of each call."""
    depth: int = 64
    """How deeply a result may be nested."""
    state_bytes: int = MAX_STATE_BYTES
    """The state of a stateful arena, as JSON in UTF-8."""
    state_depth: int = MAX_STATE_DEPTH
    """How deeply it may be nested."""


@dataclass(frozen=True)
class Stats:
    """How full the sandbox is."""

    tier: str
    runners: int
    """Running now, waiting ones included."""
    max_runners: int
    warm: int
    """Started and waiting for code."""
    sessions: int
    scope: str = "arena"
    """What a runner is for: an ``arena`` with all its sessions, or one session, an ``env``."""
    reaped: int = 0
    """Containers that dead servers left behind and that were removed here."""


class Session(Protocol):
    """One env's process: what tools keep lives in it from call to call. One call at a time; a second one waits."""

    @property
    def alive(self) -> bool:
        """Whether another call can be made; false after a time-out, a crash, a breach or ``close``."""

    async def call(self, tool: str, arguments: dict[str, Any], timeout_s: float) -> CallOutcome:
        """The outcome of one tool call. Raises SandboxLost when the process went for no fault of the call."""

    def share(self, state: SharedState) -> None:
        """Have the next call begin with this state, and those behind it with what it becomes."""

    async def close(self) -> None:
        """End the process. Safe to call twice."""


class Sandbox(Protocol):
    """Runners and their sessions."""

    tier: str

    async def open(
        self, bundle: Bundle, seed: int, state: SharedState | None = None, *, alone: bool = False
    ) -> Session:
        """A new session of the bundle, which nothing has run in yet. Raises BundleRejected, SandboxFull, SandboxLost.

        ``state`` is what its calls share in a stateful arena. ``alone``: in a runner of its own, which ends with it.
        """

    async def warm(self, bundle: Bundle) -> None:
        """Have a runner import the bundle, so that the next ``open`` only forks. Raises as ``open`` does."""

    async def stats(self) -> Stats:
        """How full it is."""

    async def close(self) -> None:
        """End every session and runner."""
