"""Worlds with a state: what is drawn is an arena in which things are done, the same everywhere, no two alike."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from astra_proto.arenas import ArenaSpec, Split, Topology
from astra_proto.state import NotThere, pointer_tokens, state_json, value_at
from astra_proto.traces import hop_levels, shape_problem, topology_of
from astra_synth_worker.arenas.matching import holds
from astra_synth_worker.teacher.stateful.draw import Language, draw_stateful_arena
from astra_synth_worker.teacher.stateful.worlds import STATEFUL

DOMAINS = sorted(STATEFUL)
SHAPES = [(t, n) for t in Topology for n in range(1, 7) if not shape_problem(t, n)]
State = dict[str, Any]


def played(arena: ArenaSpec) -> Iterator[tuple[Any, str, State]]:
    """Each sub-task with what its golden call gives, and the state that it leaves: in this process, for it is ours."""
    modules: dict[str, dict[str, Any]] = {}
    for tool in arena.tools:
        exec(compile(tool.code, tool.name, "exec"), modules.setdefault(tool.name, {}))
    state = copy.deepcopy(arena.state)
    assert state is not None
    for task in arena.subtasks:
        output = modules[task.tool][task.tool](state, **task.golden_call.arguments)
        yield task, json.dumps(output, ensure_ascii=False), json.loads(state_json(state))


def there(state: State, path: str) -> Any:
    try:
        return value_at(state, pointer_tokens(path))
    except NotThere:
        return None


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("domain", DOMAINS)
def test_every_shape_is_drawn_and_its_golden_calls_reach_every_end(domain: str, language: Language) -> None:
    for topology, hops in SHAPES:
        arena = draw_stateful_arena(domain, 11, topology, hops, language)
        levels = hop_levels({task.id: task.depends_on for task in arena.subtasks})
        assert (arena.topology, max(levels.values())) == (topology, hops)
        assert topology is topology_of({task.id: task.depends_on for task in arena.subtasks})
        state = arena.state
        for task, output, after in played(arena):
            if task.state_path is None:
                assert holds(output, task.answer.value)
            else:
                assert there(state, task.state_path) != task.answer.value == there(after, task.state_path)
            state = after
        ends = [task for task in arena.subtasks if task.state_path is not None]
        assert all(there(state, task.state_path) == task.answer.value for task in ends)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, held in value.items():
            yield from (key, *texts(held))
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("domain", DOMAINS)
def test_no_golden_call_reaches_its_end_with_one_argument_changed(domain: str, language: Language) -> None:
    tried = 0
    for topology, hops in SHAPES:
        arena = draw_stateful_arena(domain, 3, topology, hops, language)
        codes = {tool.name: tool.code for tool in arena.tools}
        before = arena.state
        assert before is not None
        for task, _, after in played(arena):
            module: dict[str, Any] = {}
            exec(compile(codes[task.tool], task.tool, "exec"), module)
            own = task.golden_call.arguments
            for name, value in own.items():
                known = [value + 1, value - 1] if isinstance(value, int) else sorted({*texts(before)} - {value})
                for other in known:
                    state = copy.deepcopy(before)
                    try:
                        output = module[task.tool](state, **{**own, name: other})
                    except (ValueError, KeyError):
                        continue
                    tried += 1
                    if task.state_path is None:
                        assert not holds(json.dumps(output, ensure_ascii=False), task.answer.value), (task, name, other)
                    else:
                        assert there(state, task.state_path) != task.answer.value, (task, name, other)
            before = after
    assert tried > 100


def test_a_hundred_seeds_give_as_many_arenas_most_of_which_change_something() -> None:
    arenas = [draw_stateful_arena(domain, seed) for domain in DOMAINS for seed in range(100)]
    assert len({arena.id() for arena in arenas}) == len(arenas)
    assert {arena.topology for arena in arenas} == set(Topology)
    assert {arena.split for arena in arenas} == set(Split)
    assert {len(arena.subtasks) for arena in arenas} >= {1, 2, 3, 4, 5}
    changing = [arena for arena in arenas if any(task.state_path for task in arena.subtasks)]
    assert len(changing) > 0.8 * len(arenas)
    assert {task.tool for arena in arenas for task in arena.subtasks} >= {
        tool for world in STATEFUL.values() for tool in world.tools if tool != "get_order"
    }
    for arena in arenas:
        said = [task.answer.value for task in arena.subtasks if task.state_path is None]
        assert not [value for value in said if holds(arena.prompt, value)]
        assert arena.final_answer is not None
        assert not holds(arena.prompt, arena.final_answer.value)
        assert len(state_json(arena.state)) < 4_000


def test_a_seed_draws_the_same_each_time_and_what_there_is_not_is_refused() -> None:
    assert draw_stateful_arena("travel", 5) == draw_stateful_arena("travel", 5)
    for given, said in (
        (("sports", 1), "has a state for"),
        (("travel", 1, Topology.SINGLE_HOP, 3), "hops"),
        (("travel", 1, None, None, "fr"), "language"),
    ):
        with pytest.raises(ValueError, match=said):
            draw_stateful_arena(*given)


@pytest.mark.parametrize("seed", [719856335, *range(12)])
def test_what_has_to_be_found_out_does_not_stand_between_chinese_words(seed: int) -> None:
    arena = draw_stateful_arena("retail", seed, None, None, "zh")
    said = [str(task.answer.value) for task in arena.subtasks if task.state_path is None]
    assert not [value for value in said if value in arena.prompt]
