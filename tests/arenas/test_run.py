"""A small run of `make arenas`: real services, a real sandbox, and a run that goes on where another ended."""

import shutil
from pathlib import Path

import pytest
from astra_synth_worker.teacher.worlds import WORLDS

from tests.arenas.mix import jobs
from tests.arenas.run import SPENT, Spent, main, plan_id
from tests.arenas.stats import Stats


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed: arenas go UNMADE")
def test_arenas_are_made_and_a_run_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    begun = Spent(plan=plan_id(jobs(4)), asked=4, runs=1, wall_s=100.0)
    (tmp_path / "data" / SPENT).write_text(begun.model_dump_json())
    main(count=4, out=tmp_path, fresh=False, concurrency=2, distinct=30)
    found = Stats.model_validate_json((tmp_path / "stats.json").read_text())
    assert (found.asked, found.published, found.refused, found.runs) == (4, 4, {}, 2)
    spent = Spent.model_validate_json((tmp_path / "data" / SPENT).read_text())
    assert (spent.finished, spent.runs) == (4, 2)
    assert spent.wall_s > 100
    assert found.distinct is not None
    assert (found.distinct.drawn, found.distinct.distinct) == (30, 30)
    assert found.distinct.worlds.keys() == WORLDS.keys()
    assert sum(share.count for share in found.topology.values()) == 4
    assert set(found.domain) <= set(WORLDS)
    assert min(found.cpu_ms.synth_worker, found.cpu_ms.env_server, found.cpu_ms.sandbox, found.wall_s) > 0
    assert (tmp_path / "mix.png").exists()
