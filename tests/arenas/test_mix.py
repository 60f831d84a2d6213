"""What is asked for has the paper's shares from early on, and the figures are those of what was published."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from astra_proto.arenas import ArenaView, Topology
from astra_proto.jobs import ArenaJob
from astra_synth_worker.teacher.draw import draw_sketch
from astra_synth_worker.teacher.stateful.draw import draw_stateful
from astra_synth_worker.teacher.worlds import WORLDS

from tests.arenas import picture, stats
from tests.arenas.distinct import draw
from tests.arenas.mix import HOPS, LANGUAGES, LAYERS, STATES, TOPOLOGIES, jobs


def asked(count: int) -> list[ArenaJob]:
    return [job.payload for job in jobs(count) if isinstance(job.payload, ArenaJob)]


@pytest.mark.parametrize("count", [60, 500, 2_000])
def test_any_first_part_has_the_shares_of_the_whole(count: int) -> None:
    wanted = asked(count)
    topologies = Counter(job.topology for job in wanted)
    languages = Counter(job.language for job in wanted)
    assert all(abs(topologies[topology] - share * count) <= 2 for topology, share in TOPOLOGIES.items())
    assert all(abs(languages[language] - share * count) <= 4 for language, share in LANGUAGES.items())
    assert {job.domain for job in wanted} == set(WORLDS)


def test_all_worlds_come_equally_often_and_all_layers() -> None:
    wanted = asked(2_000)
    domains = Counter(job.domain for job in wanted if not job.stateful)
    assert max(domains.values()) - min(domains.values()) <= 10
    assert sum(job.stateful for job in asked(2_000)) == pytest.approx(STATES * 2_000, abs=2)
    assert {job.hops for job in wanted} == {1, 2, 3, 4, 5, 6}
    assert len({job.key for job in jobs(2_000)}) == 2_000
    assert all(sum(shares.values()) == pytest.approx(1) for shares in LAYERS.values())


def test_seeds_draw_distinct_arenas_of_every_world_in_all_shapes_and_depths() -> None:
    found = draw(1_000)
    assert (found.drawn, found.distinct) == (1_000, 1_000)
    assert len(found.worlds) >= 12
    for world in found.worlds.values():
        assert len(world.topology) == len(Topology)
        assert set(world.hops) == {1, 2, 3, 4, 5, 6}


def shape(job: ArenaJob) -> Any:
    return job.domain, job.seed, job.topology, job.hops, job.language


def test_the_mean_of_sub_questions_is_the_papers() -> None:
    sizes = [len((draw_stateful if job.stateful else draw_sketch)(*shape(job)).parts) for job in asked(600)]
    assert sum(sizes) / len(sizes) == pytest.approx(HOPS, abs=0.12)


def view(number: int, topology: Topology, subtasks: int) -> ArenaView:
    return ArenaView.model_validate(
        {
            "id": f"ar_{number:032x}", "domain": "travel", "language": "en", "topology": topology, "split": "train",
            "prompt": "?", "tools": [], "subtask_count": subtasks, "hops": 1, "sound": True, "teacher": "offline",
        }
    )  # fmt: skip


def test_figures_and_picture(tmp_path: Path) -> None:
    views = [view(n, Topology.SINGLE_HOP, 1) for n in range(3)] + [view(4, Topology.PARALLEL_SINGLE_HOP, 3)]
    cpu = stats.Cpu(synth_worker=10, env_server=20, sandbox=30)
    found = stats.build(views, asked=5, runs=1, wall_s=60, cores=2, refused={"mutants": 1}, stateful=2, cpu=cpu)
    assert (found.published, found.asked, found.refused, found.gate_cpu_ms) == (4, 5, {"mutants": 1}, 50)
    assert found.topology["single_hop"] == stats.Share(count=3, share=0.75, paper=0.068)
    assert found.topology["multi_hop"].count == 0
    assert (found.hops.mean, found.hops.counts) == (1.5, {1: 3, 3: 1})
    picture.draw(found, tmp_path / "mix.png")
    assert (tmp_path / "mix.png").stat().st_size > 10_000
