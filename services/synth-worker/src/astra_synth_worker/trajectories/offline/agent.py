"""The offline teacher as user and as agent: a plan from a playbook, written as a request and played turn by turn.

The plan is a function of server, chain and seed, so that each turn can be answered from its prompt alone. Arguments and
answers come from what the tools have really returned.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from astra_proto.messages import FunctionCall, ToolCall, ToolMessage

from astra_synth_worker.llm.base import Completion, Prompt
from astra_synth_worker.trajectories.playbooks import BOOKS
from astra_synth_worker.trajectories.playbooks.generic import book_for
from astra_synth_worker.trajectories.playbooks.moves import (
    CannotContinue,
    Learned,
    Playbook,
    Step,
    failed,
    joined,
    plan,
    read,
)  # fmt: skip

_OPENINGS = ("Please {0}.", "Could you {0}?", "I would like you to {0}.", "Can you {0} for me?")
_NEXT = ("Then {0}.", "After that, {0}.", "Next, {0}.")
_LAST = ("Finally, {0}.", "And last, {0}.", "At the end, {0}.")


def write_request(prompt: Prompt) -> Completion:
    """The ``task_for_chain`` and ``task_for_server`` prompts: a request and the tools it takes."""
    variables = prompt.variables
    chain, steps, question = _planned(variables["server"]["id"], variables["tools"], variables["chain"], variables)
    target = chain if variables["chain"] else list(dict.fromkeys(step.move.tool for step in steps))
    return Completion(content=json.dumps({"question": question, "target_tools": target}, ensure_ascii=False))


def agent_turn(prompt: Prompt) -> Completion:
    """The next call of the plan, or the final answer.

    Raises :class:`ValueError` for a request that is not its own: it cannot read.
    """
    tools = [tool.function.model_dump() for tool in prompt.tools]
    _, steps, question = _planned(prompt.variables["server"]["id"], tools, prompt.variables["chain"], prompt.variables)
    if prompt.messages[0].content != question:
        raise ValueError("question: it works only on requests that it makes up itself")
    results = [read(message.content) for message in prompt.messages if isinstance(message, ToolMessage)]
    known = _learned(steps, results)
    if len(results) < len(steps):
        step = steps[len(results)]
        try:
            arguments = step.move.arguments(step.facts, known)
        except (KeyError, CannotContinue) as missing:
            return Completion(content=_answer(steps, results, missing))
        call = ToolCall(
            id=f"call_{len(results) + 1}",
            function=FunctionCall(name=step.move.tool, arguments=json.dumps(arguments, ensure_ascii=False)),
        )
        return Completion(content=None if results else _intent(steps), tool_calls=(call,))
    return Completion(content=_answer(steps, results, None))


def _planned(
    server: str, tools: Sequence[Mapping[str, Any]], chain: Sequence[str], variables: Mapping[str, Any]
) -> tuple[list[str], list[Step], str]:
    rng = Random(f"{server}:{variables['seed']}:{','.join(chain)}")
    book = _book(server, tools, chain)
    chain = list(chain) or rng.sample(sorted(book.tools()), rng.randint(1, min(3, len(book.tools()))))
    steps = plan(book, chain, rng)
    opening, *rest = [step.ask for step in steps]
    parts = [rng.choice(_OPENINGS).format(opening)]
    parts += [rng.choice(_LAST if at == len(rest) else _NEXT).format(ask) for at, ask in enumerate(rest, 1)]
    return chain, steps, " ".join(parts)


def _book(server: str, tools: Sequence[Mapping[str, Any]], chain: Sequence[str]) -> Playbook:
    """The playbook written for these tools, whatever the server is called here, or one made from their schemas."""
    there = {tool["name"] for tool in tools}
    fitting = [book for book in BOOKS if set(chain) <= book.tools() <= there]
    named = [book for book in fitting if book.server == server]
    return (named or fitting or [book_for(server, tools)])[0]


def _learned(steps: Sequence[Step], results: Sequence[Any]) -> Learned:
    known: Learned = {}
    for step, result in zip(steps, results, strict=False):
        if not failed(result):
            try:
                known.update(step.move.learns(result))
            except (KeyError, IndexError, TypeError):
                continue  # a result of another shape than the playbook expects tells nothing
    return known


def _intent(steps: Sequence[Step]) -> str:
    purposes = [step.move.tool.replace("_", " ") for step in steps]
    return f"My plan: {joined([f'{n}. {purpose}' for n, purpose in enumerate(purposes, 1)])}."


def _answer(steps: Sequence[Step], results: Sequence[Any], missing: Exception | None) -> str:
    told = []
    for step, result in zip(steps, results, strict=False):
        if failed(result):
            text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
            told.append(f'I tried to {step.ask}, but that failed: "{text.strip()[:400]}".')
            continue
        try:
            told.append(step.move.says(step.facts, result))
        except (KeyError, IndexError, TypeError, ValueError):
            told.append(f'I tried to {step.ask}; the result was "{str(result)[:400]}".')
    if missing is not None:
        asked = steps[len(results)].ask
        told.append(f"I could not {asked}: an earlier result that it needs is missing ({missing}).")
    return " ".join(told)
