"""What the offline teacher draws: many, distinct, short, sound, the same everywhere."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from astra_proto.arenas import ArenaSpec, Split, Topology
from astra_proto.traces import hop_levels, shape_problem
from astra_synth_worker.arenas.matching import holds
from astra_synth_worker.arenas.split import split_of
from astra_synth_worker.teacher.draw import draw_arena
from astra_synth_worker.teacher.worlds import WORLDS

DOMAINS = sorted(WORLDS)
HERE = Path(__file__).parent


def depths(arena: ArenaSpec) -> dict[int, int]:
    return hop_levels({task.id: task.depends_on for task in arena.subtasks})


def shown(arena: ArenaSpec) -> str:
    tools = [tool.spec().model_dump(mode="json") for tool in (*arena.tools, *arena.distractors)]
    return f"{arena.prompt}\n{json.dumps(tools, ensure_ascii=False)}"


def run_tools(arenas: list[ArenaSpec], hash_seed: str = "0") -> list[dict[str, Any]]:
    """Golden calls, and all their variations, in a bare interpreter."""
    lines = []
    for arena in arenas:
        calls = [[task.golden_call.name, task.golden_call.arguments] for task in arena.subtasks]
        codes = {tool.name: tool.code for tool in (*arena.tools, *arena.distractors)}
        lines.append(json.dumps({"codes": codes, "calls": calls, "vary": calls}))
    done = subprocess.run(
        [sys.executable, "-S", "-X", "utf8", str(HERE / "run_tools.py")],
        input="\n".join(lines), capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed},
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("domain", DOMAINS)
def test_two_hundred_seeds_give_as_many_arenas_each_short_and_telling_nothing(domain: str) -> None:
    arenas = [draw_arena(domain, seed) for seed in range(200)]
    assert len({arena.id() for arena in arenas}) == 200
    assert {arena.topology for arena in arenas} == set(Topology)
    assert {arena.split for arena in arenas} == set(Split)
    for arena in arenas:
        assert 3 <= len(arena.tools) + len(arena.distractors) <= 5
        assert 1 <= len(arena.distractors) <= 3
        words, characters = (60, 1_450) if WORLDS[domain].plain else (85, 2_000)
        assert len(arena.prompt.split()) <= words
        assert len(shown(arena)) <= characters
        assert not [task for task in arena.subtasks if holds(shown(arena), task.answer.value)]
        assert all(tool.description.count(" ") < 12 for tool in arena.tools)


@pytest.mark.parametrize("domain", DOMAINS)
def test_golden_calls_give_the_answers_and_no_other_argument_does(domain: str) -> None:
    arenas = [draw_arena(domain, seed) for seed in range(1_000, 1_030)]
    tried = 0
    for arena, seen in zip(arenas, run_tools(arenas), strict=True):
        for task, result, varied in zip(arena.subtasks, seen["results"], seen["varied"], strict=True):
            assert result["ok"], (arena.prompt, task, result)
            assert list(result["output"].values()) == [task.answer.value]
            assert len(varied) >= 8
            tried += len(varied)
            for other in varied:
                assert not holds(json.dumps(other["output"]), task.answer.value), (task, other)
    assert tried > 30 * 8


@pytest.mark.parametrize("domain", [domain for domain in DOMAINS if WORLDS[domain].plain])
def test_no_tool_tells_the_answer_of_another_when_asked_what_the_others_ask(domain: str) -> None:
    asked = 0
    for seed in range(310, 340):
        arena = draw_arena(domain, seed, Topology.PARALLEL_MULTI_HOP, 3)
        for tool in arena.tools:
            space: dict[str, Any] = {}
            exec(tool.code, space)
            others = [task for task in arena.subtasks if task.tool != tool.name]
            for arguments in (task.golden_call.arguments for task in others):
                if arguments.keys() != tool.parameters["properties"].keys():
                    continue
                try:
                    output = json.dumps(space[tool.name](**arguments), ensure_ascii=False)
                except (ValueError, KeyError):
                    continue
                asked += 1
                told = [task for task in others if holds(output, task.answer.value)]
                assert not told, (seed, tool.name, arguments, told)
    assert asked > 3


def told_by(code: str) -> set[Any]:
    """All that a tool tells from its table: the values of a record, or what stands behind the key of each row."""
    table = next(ast.literal_eval(node.value) for node in ast.parse(code).body if isinstance(node, ast.Assign))
    return set(table.values()) if isinstance(table, dict) else {row[1] for row in table}


def test_no_tool_tells_a_name_that_has_the_answer_of_another_in_it() -> None:
    """A club may be called after its stadium."""
    clubs = {"club_of_player", "next_opponent"}
    for seed in range(400):
        arena = draw_arena("sports", seed)
        grounds = {task.answer.value for task in arena.subtasks if task.tool == "home_of_club"}
        for tool in (*arena.tools, *arena.distractors):
            told = told_by(tool.code) if tool.name in clubs else ()
            assert not [name for name in told for ground in grounds if holds(name, ground)], (seed, tool.name)


@pytest.mark.parametrize("domain", DOMAINS)
def test_errors_name_no_value_of_the_table(domain: str) -> None:
    found: set[str] = set()
    for arena, seen in zip(arenas := [draw_arena(domain, s) for s in range(20)], run_tools(arenas), strict=True):
        values = [task.answer.value for task in arena.subtasks]
        errors = {each["output"] for varied in seen["varied"] for each in varied if not each["ok"]}
        found |= errors
        assert not [(e, v) for e in errors for v in values if holds(e, v)]
    assert found


def test_the_hash_seed_of_the_interpreter_changes_nothing() -> None:
    script = (
        "from astra_synth_worker.teacher.draw import draw_arena\n"
        "from astra_synth_worker.teacher.worlds import WORLDS\n"
        "import sys\nsys.stdout.write(' '.join(draw_arena(d, s).id() for d in sorted(WORLDS) for s in range(10)))"
    )
    here = " ".join(draw_arena(domain, seed).id() for domain in DOMAINS for seed in range(10))
    there = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert there.stdout == here
    arenas = [draw_arena(DOMAINS[0], seed) for seed in range(5)]
    assert run_tools(arenas, "1") == run_tools(arenas, "2")


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("topology", list(Topology))
def test_every_shape_is_to_be_had_to_six_layers(domain: str, topology: Topology) -> None:
    for hops in range(1, 7):
        if shape_problem(topology, hops):
            with pytest.raises(ValueError, match="hops"):
                draw_arena(domain, 0, topology, hops)
            continue
        for seed in range(3):
            arena = draw_arena(domain, seed, topology, hops, WORLDS[domain].languages[seed % 2 - 1])
            assert arena.topology is topology
            assert max(depths(arena).values()) == hops


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_dependent_golden_call_takes_what_the_earlier_one_returns(domain: str) -> None:
    linked = 0
    for seed in range(50):
        arena = draw_arena(domain, seed, Topology.PARALLEL_MULTI_HOP)
        answers = {task.id: task.answer.value for task in arena.subtasks}
        for task in arena.subtasks:
            given = list(task.golden_call.arguments.values())
            linked += len(task.depends_on)
            assert all(answers[d] in given for d in task.depends_on)
            # what is not handed over stands in the question
            handed = [answers[d] for d in task.depends_on]
            assert all(str(value) in arena.prompt for value in given if value not in handed)
    assert linked > 50


def test_the_tables_of_two_seeds_differ() -> None:
    codes = [
        tool.code for seed in range(60) for tool in draw_arena("library", seed).tools if not tool.code.startswith("def")
    ]
    assert len(set(codes)) == len(codes)


def test_no_question_is_in_two_splits_and_spelling_does_not_move_one() -> None:
    arenas = [draw_arena(domain, seed, Topology.SINGLE_HOP) for domain in DOMAINS for seed in range(150)]
    splits: dict[str, set[Split]] = {}
    for arena in arenas:
        splits.setdefault(arena.prompt, set()).add(arena.split)
        calls = [task.golden_call for task in arena.subtasks]
        assert split_of("  " + arena.prompt.replace(" ", "  ") + "\n", calls) is arena.split
    assert len(splits) < len(arenas), "some questions come twice, or this says nothing"
    assert all(len(found) == 1 for found in splits.values())


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_world_told_in_chinese(domain: str) -> None:
    arenas = [draw_arena(domain, seed, language="zh") for seed in range(40)]
    assert len({arena.id() for arena in arenas}) == 40
    for arena, seen in zip(arenas, run_tools(arenas), strict=True):
        assert arena.language == "zh"
        assert any("\u4e00" <= char <= "\u9fff" for char in arena.prompt)
        assert not [task for task in arena.subtasks if holds(shown(arena), task.answer.value)]
        assert [next(iter(r["output"].values())) for r in seen["results"]] == [t.answer.value for t in arena.subtasks]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"domain": "alchemy"}, "domain: the offline teacher knows"),
        ({"domain": "clinic", "language": "fr"}, "language"),
        ({"domain": "clinic", "hops": 7}, "hops"),
        ({"domain": "clinic", "topology": Topology.SINGLE_HOP, "hops": 2}, "hops"),
    ],
)
def test_what_it_cannot_draw_it_says(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_arena(seed=0, **wanted)
