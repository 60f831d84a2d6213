"""The README of a dataset: what it is, how much, how it was made and checked."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from astra_proto.arenas import Arena

from astra_datasets.mix import Facts, Mix, mix
from astra_datasets.tables import digests

WHAT = {
    "arenas": "whole arenas: `spec` and `soundness` are JSON; what `astra arena import-rows` reads back as they were",
    "rl": "one row an arena in the shape of the public ASTRA RL data: `prompt`, `tool_schema`, `tool_dict`, "
    "`sub_qa_dict`; the columns `arena` and `solve_rates` have what that shape leaves out",
    "sft": "golden episodes as conversations: `messages` and `tools` are JSON in the shape of OpenAI's chat",
}


class Ledger:
    """What is known of the arenas of a dataset, without keeping them."""

    def __init__(self) -> None:
        self.facts: list[Facts] = []
        self.checks: Counter[str] = Counter()
        self.gates: Counter[int] = Counter()
        self.tokens = 0
        self.tries = 0

    def add(self, arena: Arena) -> None:
        """One more."""
        self.facts.append(Facts.of_spec(arena.spec, arena.solve_rates))
        self.checks.update(check.name for check in arena.soundness.checks if check.passed)
        self.gates[arena.soundness.gate] += 1
        self.tokens += arena.spec.provenance.tokens
        self.tries += arena.spec.provenance.tries


def write_card(folder: Path, ledger: Ledger, *, name: str, licence: str, tasks: int) -> Path:
    """Write the card of what is in a folder."""
    found = mix(ledger.facts)
    tables = [table for table in WHAT if (folder / table).is_dir()]
    parts = [
        _front(folder, tables, licence, found),
        f"# {name}\n",
        f"{found.arenas} arenas for tool-using agents: each a request, tools with the Python that runs them, sub-tasks "
        "with reference answers and the calls that solve them. An agent earns the F1 of sub-tasks solved and calls "
        "made, judged by rule.\n",
        _contents(tables, tasks),
        _counts(found),
        _difficulty(found),
        _checked(ledger, found.arenas),
        _provenance(found, ledger, licence),
        _files(folder),
    ]
    place = folder / "README.md"
    place.write_text("\n".join(parts), encoding="utf-8")
    return place


def _front(folder: Path, tables: Sequence[str], licence: str, found: Mix) -> str:
    lines = ["---", f"license: {licence}", "language:"]
    lines += [f"- {language}" for language, share in found.by["language"].items() if share.count]
    lines += ["tags:", "- tool-use", "- reinforcement-learning", "configs:"]
    for table in tables:
        lines += [f"- config_name: {table}", "  data_files:"]
        for file in sorted((folder / table).glob("*.parquet")):
            lines += [f"  - split: {file.stem}", f"    path: {table}/{file.name}"]
    return "\n".join([*lines, "---", ""])


def _contents(tables: Sequence[str], tasks: int) -> str:
    lines = [f"- `{table}/`: {WHAT[table]}" for table in tables]
    if tasks:
        lines.append(f"- `harbor/`: {tasks} Harbor tasks, one an arena: the tools as a command, graded by F1")
    return "\n".join(["## What is in it\n", *lines, ""])


def _counts(found: Mix) -> str:
    size = found.subtasks
    lines = [
        "## How much of what\n",
        f"{size.total} sub-tasks, {size.mean:.2f} an arena (the paper: {size.paper['mean']:.2f}), from {size.min} to "
        f"{size.max}. Tools of a stateful arena share records that calls change. Shares beside those of the paper "
        "(arXiv 2601.21558), where it tells them:\n",
        "| | | arenas | share | paper |",
        "|---|---|---:|---:|---:|",
    ]
    for column, values in found.by.items():
        for value, share in values.items():
            paper = "" if share.paper is None else f"{100 * share.paper:.1f} %"
            lines.append(f"| {column} | {_cell(value)} | {share.count} | {100 * share.share:.1f} % | {paper} |")
    told = (
        "Where nobody named it, the split follows from a hash of the sort of question, so that a question and its near "
        "doubles are in one. Rows of others, and arenas that were asked for with a split, are where they were put."
    )
    return "\n".join([*lines, "", told, ""])


def _difficulty(found: Mix) -> str:
    head = (
        "What policies reached that were measured in them, the weakest first: the share of episodes in which every "
        "sub-task was solved, and the F1 that they earned, over arenas. The column `solve_rates` has it for each.\n"
        if found.policies
        else "No policy was measured in these arenas: shape, hops and sub-tasks are what is known.\n"
    )
    lines = [
        f"| {_cell(policy)} | {rate.arenas} of {found.arenas} | {rate.episodes} | {100 * rate.solve_rate:.1f} % | "
        f"{rate.f1:.3f} |"
        for policy, rate in found.policies.items()
    ]
    table = ["| policy | arenas | episodes | solved | F1 |", "|---|---:|---:|---:|---:|", *lines] if lines else []
    return "\n".join(["## How hard it is\n", head, *table, ""])


def _checked(ledger: Ledger, arenas: int) -> str:
    gates = ", ".join(f"version {gate}: {count}" for gate, count in sorted(ledger.gates.items()))
    lines = [f"| `{_code(name)}` | {count} of {arenas} |" for name, count in sorted(ledger.checks.items())]
    head = (
        "Every arena was put through the soundness gate before it was published, and keeps its report; anybody gets "
        f"the same one with `astra arena check`. Gate: {gates or 'none'}.\n"
    )
    return "\n".join(["## How it was checked\n", head, "| check | passed |", "|---|---|", *lines, ""])


def _provenance(found: Mix, ledger: Ledger, licence: str) -> str:
    teachers = ", ".join(f"{_cell(teacher)} ({share.count})" for teacher, share in found.by["teacher"].items())
    return "\n".join(
        [
            "## Where it comes from\n",
            f"Teachers: {teachers or 'none'}. `offline` is a procedural generator: its worlds are invented. `import` "
            "are rows of others. Other names are those of people and language models; a model's terms of use may say "
            "more than the licence here. "
            f"{ledger.tries} tries, {ledger.tokens} tokens. Each arena's `provenance` tells its source, seed, prompts "
            "and cost.\n",
            f"Licence: {licence}.",
            "",
        ]
    )


def _files(folder: Path) -> str:
    lines = [f"| `{name}` | {size} | `{digest}` |" for name, size, digest in digests(folder)]
    return "\n".join(["## Files\n", "| file | bytes | SHA-256 |", "|---|---:|---|", *lines, ""])


def _code(name: str) -> str:
    """A name as code in a cell, where a backslash would be shown."""
    return "".join(char for char in name if char.isalnum() or char in "_-. ")[:100]


def _cell(text: str) -> str:
    """A name that strangers gave, such that it can't be more than a cell."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    for char in "\\`|<>[]*_":
        plain = plain.replace(char, f"\\{char}" if char != "`" else "'")
    return plain[:100]
