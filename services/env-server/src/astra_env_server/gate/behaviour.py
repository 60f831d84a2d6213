"""Checks of what the code does."""

from astra_proto.arenas import SubTask

from astra_env_server.gate.evidence import Evidence, Ran
from astra_env_server.gate.leakage import everything_shown, is_trivial
from astra_env_server.gate.state import gives
from astra_env_server.gate.whole import cut_from
from astra_env_server.scoring.f1 import Scorer
from astra_env_server.scoring.matching import Output, holds

RANDOM_REWARD = 0.05
"""The most that an agent which guesses may earn."""


def oracle_reward(evidence: Evidence) -> float:
    """What the golden calls earn."""
    scorer = Scorer(evidence.spec)
    for run in evidence.golden.values():
        run.count(scorer)
    return scorer.tally.f1


def oracle(evidence: Evidence) -> list[str]:
    """Every golden call gives its answer whole, and together they earn 1.0."""
    problems = []
    for task in evidence.spec.subtasks:
        outcome = evidence.golden[task.id].outcome
        here = f"sub-task {task.id} (tool {task.tool!r})"
        if not outcome.ok:
            problems.append(f"{here}: the golden call failed: {outcome.error_class}: {outcome.output[:300]}")
        elif task.state_path is not None and not gives(task, outcome):
            wanted, left = repr(task.answer.value)[:100], (outcome.state or b"as it was").decode()[:300]
            problems.append(f"{here}: after the golden call {task.state_path} is not {wanted}; the state is {left}")
        elif not gives(task, outcome):
            wanted = repr(task.answer.value)[:100]
            problems.append(
                f"{here}: the answer {wanted} is not in the output of the golden call: {outcome.output[:300]!r}"
            )
        elif task.state_path is None and (cut := cut_from(task.answer.value, outcome.output)):
            problems.append(
                f"{here}: the answer {cut[0]!r} is part of {cut[1]!r}, which the golden call gives: take all of it as "
                "the answer, or have the tool give the answer by itself"
            )
    earned = oracle_reward(evidence)
    return problems or ([] if earned == 1.0 else [f"the golden calls earn {earned}, not 1.0"])


def null_agent(evidence: Evidence) -> list[str]:
    """An agent that calls nothing and answers with all that it was shown earns nothing."""
    spec = evidence.spec
    scorer = Scorer(spec, final_answer=spec.final_answer is not None)
    scorer.answer(everything_shown(spec))
    earned = scorer.tally.f1
    return [f"the final answer stands in what the agent is shown: repeating it earns {earned:.2f}"] if earned else []


def random_agent(evidence: Evidence) -> list[str]:
    """An agent that calls every tool with random arguments that fit earns about nothing."""
    if not evidence.random:
        return ["no random arguments were found for any tool that its schema allows, so nothing was tried"]
    constant = _constant_tools(evidence)
    scorer = Scorer(evidence.spec)
    guesses = []
    for run in evidence.random:
        if run.tool not in constant:  # those are refused by a check of their own
            before = scorer.tally.solved
            run.count(scorer)
            for task_id in set(scorer.tally.solved) - set(before):
                guesses.append(f"sub-task {task_id} (tool {run.tool!r}): solved by {run.arguments!r}"[:300])
    earned = scorer.tally.f1
    return [f"random calls earn {earned:.2f}", *guesses] if earned > RANDOM_REWARD or guesses else []


def determinism(evidence: Evidence) -> list[str]:
    """Two golden runs in fresh sessions with different seeds agree byte for byte."""
    problems = []
    for task in evidence.spec.subtasks:
        first, second = evidence.golden[task.id].outcome, evidence.again[task.id].outcome
        if first != second:
            seen = f"{first.output[:120]!r}, then {second.output[:120]!r}"
            problems.append(f"sub-task {task.id} (tool {task.tool!r}): two runs differ: {seen}")
    return problems


def sensitivity(evidence: Evidence) -> list[str]:
    """With other arguments the golden call does not give the answer."""
    problems = []
    for task in evidence.spec.subtasks:
        here = f"sub-task {task.id} (tool {task.tool!r})"
        if not evidence.perturbed[task.id]:
            problems.append(
                f"{here}: its arguments cannot be changed, so nothing shows that the output depends on them"
            )
        if evidence.constant(task) or evidence.reached_before(task):  # refused by checks of their own
            continue
        for run in (*evidence.perturbed[task.id], *evidence.vague.get(task.id, [])):
            if gives(task, run.outcome) and not _idle(evidence, task, run):
                wrong = repr(run.arguments)[:200]
                problems.append(f"{here}: the answer {task.answer.value!r} is also the output of {wrong}"[:400])
                break
        answered = [run for run in evidence.known.get(task.tool, []) if run.outcome.ok]
        alike = [run for run in answered if gives(task, run.outcome)]
        if len(alike) > 1 and 2 * len(alike) > len(answered):
            problems.append(
                f"{here}: the answer {task.answer.value!r} is in {len(alike)} of {len(answered)} outputs for other "
                f"rows that it knows, such as {alike[0].arguments!r}"[:400]
            )
    return problems


def constant_output(evidence: Evidence) -> list[str]:
    """No tool gives one and the same output whatever it is asked."""
    return [
        f"sub-task {task.id} (tool {task.tool!r}): the output is the same for every change of its arguments"
        for task in evidence.spec.subtasks
        if evidence.constant(task)
    ]


FEWEST_ANSWERS = 2
"""Answers that a tool must give beside the golden ones: one more row is no table."""


def golden_row(evidence: Evidence) -> list[str]:
    """Every tool answers other calls than its golden ones, and otherwise, in at least two ways."""
    problems = []
    for name, tasks in evidence.told_apart.items():
        # Two calls of its own that are answered otherwise are rows of one table as well.
        wanted = max(1, FEWEST_ANSWERS - len({evidence.golden[task.id].outcome.output for task in tasks}) + 1)
        # What a state holds may leave little to be asked for, and a yes or no has but one other.
        wanted = (
            1
            if evidence.spec.state is not None or any(isinstance(task.answer.value, bool) for task in tasks)
            else wanted
        )
        if (found := evidence.other_answers(name)) < wanted:
            problems.append(
                f"tool {name!r}: it knows its golden calls and {found or 'nothing'} else: of "
                f"{len(evidence.known.get(name, []))} calls with other values of its own tables and schema {found} "
                "gave another answer in the way the golden one comes about; give it more rows, or compute the answer"
            )
    return problems


LEAST_KILLED = 0.5
"""Share of a tool's mutants that its golden calls must catch. Sound code leaves some alive: a guard may be looser, a
row may be found by less than all of its keys. Where most live on, the answer does not come from what the code does."""

FEWEST_MUTANTS = 3
"""Of fewer nothing is concluded: the one that lives on may well be a guard."""


def mutants(evidence: Evidence) -> list[str]:
    """The golden calls notice when the code that they run is changed."""
    problems = []
    for name in evidence.told_apart:
        score = evidence.mutants.get(name)
        if score is None:
            problems.append(f"tool {name!r}: its mutants could not be run")
        elif score.reached >= FEWEST_MUTANTS and score.killed < LEAST_KILLED * score.reached:
            problems.append(
                f"tool {name!r}: {len(score.survived)} of {score.reached} changes to the code that the golden call "
                f"runs leave its answer as it is, so it does not come from that code: {'; '.join(score.survived[:4])}"
            )
    return problems


def distractors(evidence: Evidence) -> list[str]:
    """No distractor solves a sub-task, or gives its answer when called with arguments like the golden ones."""
    scorer = Scorer(evidence.spec)
    for run in [run for runs in evidence.distractors.values() for run in runs]:
        run.count(scorer)
    problems = [f"sub-task {task_id}: a call of a distractor solved it" for task_id in scorer.tally.solved]
    # An end-state is nothing to be said, and a distractor has no state to bring it about in.
    answers = [task for task in evidence.spec.subtasks if task.state_path is None and not is_trivial(task.answer)]
    for name, runs in evidence.distractors.items():
        if not runs:
            problems.append(
                f"distractor {name!r}: no arguments were found that its schema allows, so nothing was tried"
            )
        for run in runs:
            said = Output(run.outcome.output) if run.outcome.ok else None
            told = [repr(value) for value in run.arguments.values()]
            for task in answers:
                echoed = any(holds(task.answer, value.strip("'\"")) for value in told)
                if said is not None and not echoed and said.holds(task.answer):
                    problems.append(
                        f"distractor {name!r}: gives the answer of sub-task {task.id}, {task.answer.value!r}"
                    )
    return list(dict.fromkeys(problems))


def limits(evidence: Evidence) -> list[str]:
    """Every call stays within its time, and every golden one within half its time and half its output."""
    # Half, so that a busier machine does not make a time-out of what was sound when it was published.
    half_s, half_bytes = evidence.limits.call_s / 2, evidence.limits.output_bytes // 2
    problems = [
        f"tool {run.tool!r}: {run.arguments!r} ran past {evidence.limits.call_s:g} s"[:300]
        for run in evidence.everything()
        if run.outcome.error_class == "timeout"
    ]
    for task_id, run in (*evidence.golden.items(), *evidence.again.items()):
        here = f"sub-task {task_id} (tool {run.tool!r}): the golden call"
        if run.outcome.error_class != "timeout" and run.seconds > half_s:
            problems.append(f"{here} took {run.seconds:.2f} s, more than half of {evidence.limits.call_s:g} s")
        if (size := len(run.outcome.output.encode())) > half_bytes:
            problems.append(f"{here} returned {size} bytes, more than half of {evidence.limits.output_bytes}")
    for run in evidence.everything():
        if not run.outcome.ok and run.outcome.output.startswith(_TOO_MUCH):
            problems.append(
                f"tool {run.tool!r}: {run.arguments!r}"[:250] + f" takes too much: {run.outcome.output[:100]}"
            )
    return list(dict.fromkeys(problems))


def _idle(evidence: Evidence, task: SubTask, run: Ran) -> bool:
    """Whether only such arguments are changed as do nothing anyway: they are refused by a check of their own."""
    if task.tool not in evidence.told_apart:  # that check does not look at it
        return False
    own = task.golden_call.arguments
    other = [name for name, value in own.items() if name in run.arguments and run.arguments[name] != value]
    return run.arguments.keys() == own.keys() and not any(evidence.matters(task, name) for name in other)


_TOO_MUCH = ("MemoryError", "OutputTooLarge", "RecursionError", "the tool ended its own process")


def _constant_tools(evidence: Evidence) -> set[str]:
    return {task.tool for task in evidence.spec.subtasks if evidence.constant(task)}
