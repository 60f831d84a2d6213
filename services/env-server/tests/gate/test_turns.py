"""A tool that fails each second or third time is refused, wherever in its turns the gate happens to ask."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("skipped", range(3))
@pytest.mark.parametrize("turns", ["TF", "TTF", "TFT"])
async def test_a_tool_that_takes_turns_is_refused(
    server: Any, library: dict[str, Any], turns: str, skipped: int
) -> None:
    """``skipped`` calls of those that make no sense do not count, so that the golden ones fall on other turns."""
    tool = library["tools"][0]
    own = f"def {tool['name']}("
    assert own in tool["code"]
    tool["code"] = (
        f"import itertools\n\nTURNS = itertools.cycle({[turn == 'T' for turn in turns]})\n"
        f"LEFT = [None] * {skipped}\n\n\n"
        + tool["code"].replace(own, "def inner(")
        + f"\n\ndef {tool['name']}(member_id):\n    if member_id != 'M-2041' and LEFT:\n        LEFT.pop()\n"
        "        raise ValueError('not now')\n    return inner(member_id) if next(TURNS) else {'result': 'later'}\n"
    )
    report = (await server.post("/arenas/check", json=library)).json()
    assert "repeatable" in [check["name"] for check in report["checks"] if not check["passed"]], report
