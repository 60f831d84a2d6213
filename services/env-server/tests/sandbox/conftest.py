import os
import shutil
from collections.abc import AsyncIterator

import pytest
from astra_env_server.sandbox.base import Limits, NoIsolation, Sandbox
from astra_env_server.sandbox.opening import Options, Tier, open_sandbox
from astra_env_server.sandbox.pool import PoolSize

LIMITS = Limits(memory_bytes=256 * 2**20, output_bytes=64 * 1024, import_s=5.0, open_s=5.0)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", params=["bubblewrap", "landlock", pytest.param("docker", marks=pytest.mark.docker)])
def tier(request: pytest.FixtureRequest) -> Tier:
    tier: Tier = request.param
    if tier == "bubblewrap" and shutil.which("bwrap") is None:
        absent("bubblewrap is not installed: the tier of the same name goes UNTESTED")
    return tier


def absent(why: str) -> None:
    """Skip, or fail where the isolation must be there."""
    if os.environ.get("ASTRA_REQUIRE_SANDBOX") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
async def sandbox(tier: Tier) -> AsyncIterator[Sandbox]:
    """One sandbox a tier for all tests that leave nothing behind in it."""
    try:
        opened = await open_sandbox(tier, Options(LIMITS, PoolSize(max_runners=6, warm=1)))
    except NoIsolation as error:
        pytest.fail(str(error))
    yield opened
    await opened.close()
