"""Which arenas are asked for: the shapes' mix, and subjects from files."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer
from astra.arena_jobs import (
    PAPER_MIX,
    arena_jobs,
    grouped,
    read_mix,
    read_rows,
    read_taxonomy,
    spread,
    subjects,
    wanted_mix,
)
from astra_proto.arenas import Topology
from astra_proto.jobs import ArenaJob

ANY = range(1, 7)
SEEDS = Path(__file__).parents[2] / "services" / "synth-worker" / "examples"


def test_a_mix_is_kept_at_every_length() -> None:
    for count in (20, 200, 2_000):
        made = Counter(spread(PAPER_MIX, count))
        assert all(abs(made[shape] - share * count) < 1.5 for shape, share in PAPER_MIX.items())


def test_shares_are_shares_whatever_they_sum_to() -> None:
    assert read_mix("multi_hop=3, single_hop=1") == {Topology.MULTI_HOP: 0.75, Topology.SINGLE_HOP: 0.25}
    assert read_mix("paper") == PAPER_MIX


@pytest.mark.parametrize(
    "text", ["multi_hop", "zigzag=1", "multi_hop=x", "multi_hop=-1", "multi_hop=0", "", "multi_hop=inf"]
)
def test_what_is_no_mix_is_told(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="mix"):
        read_mix(text)


def test_invented_questions_come_in_the_papers_mix_and_given_ones_as_they_are() -> None:
    assert wanted_mix(None, None, ANY, True) == pytest.approx(PAPER_MIX)
    assert wanted_mix(None, None, ANY, False) is None
    assert wanted_mix("multi_hop=1", None, ANY, False) == {Topology.MULTI_HOP: 1.0}
    assert wanted_mix(None, Topology.MULTI_HOP, ANY, True) is None
    assert set(wanted_mix(None, None, range(1, 2), True) or ()) == {Topology.SINGLE_HOP, Topology.PARALLEL_SINGLE_HOP}
    assert set(wanted_mix(None, None, range(2, 5), True) or ()) == {Topology.MULTI_HOP, Topology.PARALLEL_MULTI_HOP}
    with pytest.raises(typer.BadParameter):
        wanted_mix("multi_hop=1", Topology.MULTI_HOP, ANY, True)


def test_rows_become_jobs(tmp_path: Path) -> None:
    questions, corpus = tmp_path / "q.jsonl", tmp_path / "k.jsonl"
    questions.write_text('{"question": "Where?", "domain": "travel"}\n\n{"question": "When?", "domain": "rail"}\n')
    corpus.write_text('{"knowledge_corpus": "It is far.", "domain": "travel"}\n{"knowledge_corpus": "It is late."}\n')
    about = subjects([], questions, None, None, 0, random.Random(1))
    group, jobs = grouped(arena_jobs(about, 3, 7, None, language="en"))
    assert [job.key for job in jobs] == [f"{group}{number}" for number in range(3)]
    payloads = [job.payload for job in jobs if isinstance(job.payload, ArenaJob)]
    assert {(p.question, p.domain) for p in payloads} == {("Where?", "travel"), ("When?", "rail")}
    assert [p.seed for p in payloads] == [7, 8, 9]
    only = subjects(["travel"], None, corpus, None, 0, random.Random(1))
    assert sorted(str(each["knowledge"]) for each in only) == ["It is far.", "It is late."]
    assert {each["domain"] for each in only} == {"travel"}
    with pytest.raises(typer.BadParameter, match="nothing"):
        subjects(["sailing"], questions, None, None, 0, random.Random(1))


def test_a_row_says_its_own_language_and_an_edited_file_is_other_work(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"

    def jobs(text: str) -> tuple[str, list[ArenaJob]]:
        path.write_text(text)
        asked = arena_jobs(subjects([], path, None, None, 0, random.Random(1)), 1, 7, None, language="en")
        group, made = grouped(asked)
        return group, [job.payload for job in made if isinstance(job.payload, ArenaJob)]

    group, (first,) = jobs('{"question": "Where?"}')
    assert first.language == "en"
    assert jobs('{"question": "Where?", "more": 5}')[0] == group
    other, (second,) = jobs('{"question": "在哪里？", "language": "zh"}')
    assert (second.language, other == group) == ("zh", False)
    with pytest.raises(typer.BadParameter, match="language"):
        jobs('{"question": "Où?", "language": "fr"}')


def test_the_seeds_that_are_shipped_are_such_files() -> None:
    rng = random.Random(1)
    for given in ((SEEDS / "questions.jsonl", None, None), (None, SEEDS / "knowledge.jsonl", None)):
        about = subjects([], *given, 0, rng)
        asked = [job.payload for job in arena_jobs(about, len(about), 0, None, language="en")]
        assert {job.language for job in asked if isinstance(job, ArenaJob)} == {"en", "zh"}
        assert len(about) > 10
    for language in ("en", "zh"):
        leaves = subjects([], None, None, SEEDS / f"taxonomy.{language}.json", 0, rng)
        assert len(arena_jobs(leaves, len(leaves), 0, None, language=language)) > 5


@pytest.mark.parametrize("text", ["", "{}", '{"question": 5}', "[1]", "nonsense"])
def test_a_file_without_questions_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.jsonl").write_text(text)
    with pytest.raises(typer.BadParameter):
        read_rows(tmp_path / "q.jsonl", "question")


TREE: dict[str, Any] = {
    "name": "finance",
    "children": [
        {"name": "loans", "children": [{"name": "repayment", "description": "Fees.", "examples": ["What do I owe?"]}]},
        {"name": "cards"},
    ],
}


def test_leaves_of_a_taxonomy_become_jobs_some_without_their_example(tmp_path: Path) -> None:
    path = tmp_path / "tree.json"
    path.write_text(json.dumps(TREE))
    first, second = read_taxonomy(path)
    assert (first.path, first.description, first.example) == ("finance / loans / repayment", "Fees.", "What do I owe?")
    assert (second.path, second.example) == ("finance / cards", None)
    shown = subjects([], None, None, path, 0.0, random.Random(1))
    assert {each["domain"] for each in shown} == {"finance"}
    assert {each["taxonomy"].example for each in shown} == {"What do I owe?", None}
    assert {each["taxonomy"].example for each in subjects([], None, None, path, 1.0, random.Random(1))} == {None}


@pytest.mark.parametrize(
    "tree",
    [
        [{"children": []}],
        {"name": "a", "children": [5]},
        {"name": "a", "examples": "x" * 6_000},
        {"name": "a", "examples": {}, "description": 4},
    ],
)
def test_what_is_no_taxonomy_is_told(tmp_path: Path, tree: Any) -> None:
    path = tmp_path / "tree.json"
    path.write_text(json.dumps(tree))
    with pytest.raises(typer.BadParameter):
        read_taxonomy(path)


def test_what_no_arena_can_be_is_told() -> None:
    with pytest.raises(typer.BadParameter, match="min_hops"):
        arena_jobs([{"domain": "d"}], 1, 0, None, min_hops=4, max_hops=2)
