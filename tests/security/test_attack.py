"""The attacks are what they claim to be: all forty lines, and a way out that is found is told."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from astra_env_server.sandbox.base import Sandbox
from astra_env_server.sandbox.opening import Options, open_sandbox
from astra_env_server.sandbox.pool import PoolSize

from tests.security.attack import LIMITS, Report, carry_out
from tests.security.catalogue import EXPLAINED, LISTED, catalogue
from tests.security.probe import Field, Probe, Verdict, arena, function, probes, stopped
from tests.security.service import SERVICE

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def ground() -> AsyncIterator[Field]:
    sandbox: Sandbox = await open_sandbox("landlock", Options(LIMITS, PoolSize(max_runners=4, warm=0)))
    yield Field(sandbox, {})
    await sandbox.close()


def test_each_line_of_the_list_has_its_probes() -> None:
    found = catalogue()
    names = [probe.name for probe in found] + list(SERVICE)
    assert len(names) == len(set(names))
    assert {probe.line for probe in found} == set(LISTED)
    assert set(EXPLAINED) <= set(names)
    numbered = {int(number) for number in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)}
    assert numbered == set(LISTED)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("return 'got out'", "got out"),
        ("raise ValueError('OPEN after all')", "OPEN"),
        ("raise ZeroDivisionError('a probe that is wrong itself')", "wrong itself"),
    ],
)
async def test_an_attempt_that_was_not_stopped_is_open(ground: Field, body: str, seen: str) -> None:
    (probe,) = probes(1, stopped, {"way_out": body})
    verdict = await carry_out(probe, ground)
    assert not verdict.blocked
    assert seen in verdict.detail


@pytest.mark.anyio
async def test_a_sibling_that_is_harmed_is_told(ground: Field) -> None:
    bundle = arena(function("harmless", "return 1"))

    async def reach_over(ground: Field) -> Verdict:
        await list(ground.sandbox._claims.values())[-1].result().close()  # type: ignore[attr-defined]
        return Verdict(True, "all well, it says")

    verdict = await carry_out(Probe("reach_over", 1, reach_over, bundle), ground)
    assert not verdict.blocked
    assert "the sandbox failed" in verdict.detail or "harmed" in verdict.detail


def test_only_what_is_explained_may_be_open() -> None:
    report = Report()
    report.add("fine", Verdict(True, ""))
    report.add("kernel_version", Verdict(False, "6.1"))
    assert not report.unexplained()
    report.add("surprise", Verdict(False, "out"))
    assert [row["probe"] for row in report.unexplained()] == ["surprise"]
    assert (report.probes, report.blocked, len(report.open)) == (3, 1, 2)
