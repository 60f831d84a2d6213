"""Runs drafts of tool code."""

import ast
import json

from astra_proto.code_runs import CallResult, RunCode, RunCodeReply
from astra_proto.envs import ErrorClass
from astra_proto.errors import CapacityReached, Unavailable
from astra_proto.state import state_json
from astra_service.syntax import parse
from pydantic import JsonValue

from astra_env_server.arenas.arguments import BadArguments, read_arguments
from astra_env_server.sandbox.base import (
    Bundle,
    BundleRejected,
    CallOutcome,
    Sandbox,
    SandboxFull,
    SandboxLost,
    Session,
    SharedState,
    ToolCode,
)

_SEED = 0


class CodeRuns:
    """What ``POST /sandbox/run`` does."""

    def __init__(self, sandbox: Sandbox, longest_s: float) -> None:
        self._sandbox, self._longest_s = sandbox, longest_s

    async def run(self, request: RunCode) -> RunCodeReply:
        """Every call in order in one session; after one that ends the session, in a fresh one.

        With a state every function takes it, and a fresh session goes on with what the calls so far made of it.
        """
        try:
            defined = {n.name for n in parse(request.code).body if isinstance(n, ast.FunctionDef)}
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return _all_failed(request, f"the code does not parse: {error}")
        wanted = sorted({call.name for call in request.calls} & defined)
        bundle = Bundle(tuple(ToolCode(name, request.code) for name in wanted))
        for last in (False, True):
            try:
                results, state = await self._run(bundle, defined, request)
                return RunCodeReply(results=results, state=state)
            except BundleRejected as error:
                return _all_failed(request, f"the code does not import: {error}", error.error_class)
            except SandboxFull as error:
                raise CapacityReached(f"no room in the sandbox: {error}", retry_after_s=1) from error
            except SandboxLost as error:
                if last:
                    raise Unavailable(f"the sandbox was lost twice while it ran this code: {error}") from error
        raise AssertionError("the loop returns or raises")

    async def _run(
        self, bundle: Bundle, defined: set[str], request: RunCode
    ) -> tuple[list[CallResult], dict[str, JsonValue] | None]:
        session: Session | None = None
        results = []
        raw = None if request.state is None else state_json(request.state)
        try:
            for call in request.calls:
                if call.name not in defined:
                    there = ", ".join(sorted(defined)) or "none"
                    results.append(
                        _refused(f"the code defines no function {call.name!r} at its top level, but: {there}")
                    )
                    continue
                try:
                    arguments = read_arguments(call.arguments)
                except BadArguments as error:
                    results.append(_refused(str(error)))
                    continue
                if session is None or not session.alive:
                    shared = None if raw is None else SharedState(raw, frozenset(defined))
                    session = await self._sandbox.open(bundle, _SEED, shared)
                timeout_s = min(request.timeout_s, self._longest_s)
                outcome = await session.call(call.name, arguments, timeout_s)
                results.append(_result(outcome))
                raw = outcome.state or raw
        finally:
            if session is not None:
                await session.close()
        return results, None if raw is None else json.loads(raw)


def _result(outcome: CallOutcome) -> CallResult:
    return CallResult(ok=outcome.ok, output=outcome.output, error_class=outcome.error_class)


def _refused(why: str) -> CallResult:
    return CallResult(ok=False, output=why[:2_000], error_class=ErrorClass.POLICY)


def _all_failed(request: RunCode, why: str, error: ErrorClass = ErrorClass.TOOL) -> RunCodeReply:
    failed = CallResult(ok=False, output=why[:4_000], error_class=error)
    return RunCodeReply(results=[failed] * len(request.calls), state=request.state)
