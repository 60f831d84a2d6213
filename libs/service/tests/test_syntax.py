"""Syntax trees in several threads."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

from astra_service.syntax import parse

_CODE = "TABLE = [\n" + "\n".join(f"    ('a{n}', {n}, -{n})," for n in range(200)) + "\n]\n"


class _Cycle:
    """Rubbish whose collection, in the middle of parsing, lets another thread go on."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        time.sleep(0)


def test_threads_that_parse_at_once_do_not_disturb_each_other() -> None:
    def many(_: int) -> int:
        for _ in range(30):
            _Cycle()
            parse(_CODE)
        return 1

    before = gc.get_threshold()
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(many, range(4))) == 4
    finally:
        gc.set_threshold(*before)
