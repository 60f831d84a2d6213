"""A reference answer that is half a name, in scripts that put no spaces between words."""

import json
from typing import Any

import pytest
from astra_env_server.gate.whole import cut_from

CUT = {
    "a name without its last letter": ("迷失的灯", {"show": "迷失的灯笼"}, ("迷失的灯", "迷失的灯笼")),
    "half a name": ("宋", {"star": "宋佳"}, ("宋", "宋佳")),
    "without its first letter": ("失的灯笼", {"show": "迷失的灯笼"}, ("失的灯笼", "迷失的灯笼")),
    "a text that is no JSON": ("北京", "北京市", ("北京", "北京市")),
    "one of several": (["北京", "上海"], {"cities": ["北京市", "上海"]}, ("北京", "北京市")),
    "kana": ("ラーメ", {"dish": "ラーメン"}, ("ラーメ", "ラーメン")),
}
WHOLE = {
    "the name itself": ("迷失的灯笼", {"show": "迷失的灯笼"}),
    "in a sentence": ("宋佳", {"told": "这场演出的主演是宋佳。"}),
    "between marks": ("迷失的灯笼", {"show": "《迷失的灯笼》"}),
    "with a title in brackets": ("宋佳", {"star": "宋佳(女)"}),
    "longer names beside it": ("北京", {"city": "北京", "district": "北京市"}),
    "a number": (58, {"hours": "58小时"}),
    "a number with a unit": ("58", {"hours": "58小时"}),
    "words with spaces": ("Lost Lantern", {"show": "Lost Lanterns"}),
    "not there at all": ("灯笼", {"show": "船锚"}),
    "nothing": ("", {"show": "船锚"}),
}


@pytest.mark.parametrize(("answer", "output", "wanted"), CUT.values(), ids=CUT)
def test_half_a_name_is_found(answer: Any, output: Any, wanted: tuple[str, str]) -> None:
    assert cut_from(answer, output if isinstance(output, str) else json.dumps(output)) == wanted


@pytest.mark.parametrize(("answer", "output"), WHOLE.values(), ids=WHOLE)
def test_a_whole_one_is_left_alone(answer: Any, output: Any) -> None:
    assert cut_from(answer, json.dumps(output)) is None
