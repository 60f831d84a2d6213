"""Which arenas to ask for: shapes in a mix, subjects from files, the same for the same seed."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from astra_proto.arenas import Topology
from astra_proto.ids import content_id
from astra_proto.jobs import ArenaJob, CreateJob, TaxonomyLeaf
from astra_proto.traces import shape_problem
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from astra.files import read_bytes, told

PAPER_MIX: Mapping[Topology, float] = {
    Topology.PARALLEL_MULTI_HOP: 0.478,
    Topology.MULTI_HOP: 0.348,
    Topology.PARALLEL_SINGLE_HOP: 0.106,
    Topology.SINGLE_HOP: 0.068,
}
"""Shares of the paper's instances (§3.1)."""
_MOST = 64 * 2**20


def read_mix(text: str) -> dict[Topology, float]:
    """Shares as they are typed: ``multi_hop=0.35,single_hop=0.1``; what is not named gets none.

    >>> read_mix("multi_hop=3,single_hop=1")[Topology.MULTI_HOP]
    0.75
    """
    if text == "paper":
        return dict(PAPER_MIX)
    shares: dict[Topology, float] = {}
    for item in text.split(","):
        name, _, share = item.strip().partition("=")
        try:
            shares[Topology(name)] = float(share)
        except ValueError:
            known = ", ".join(topology.value for topology in Topology)
            raise typer.BadParameter(f"--mix: {item!r} is not SHAPE=SHARE with a shape of {known}") from None
    total = sum(shares.values())
    if not 0 < total < float("inf") or min(shares.values()) < 0:
        raise typer.BadParameter("--mix: the shares must not be negative, and one must be above 0")
    return {topology: share / total for topology, share in shares.items()}


def wanted_mix(
    text: str | None, topology: Topology | None, hops: range, invented: bool
) -> Mapping[Topology, float] | None:
    """The shares of shapes; None where each question decides, or one shape is given for all.

    Invented questions come in the paper's mix unless told otherwise, without the shapes that have none of the wanted
    numbers of layers.
    """
    if topology is not None:
        if text is not None:
            raise typer.BadParameter("--mix: one shape is given for all by --topology; leave out one of the two")
        return None
    if text is not None:
        return read_mix(text)
    if not invented:
        return None
    shares = {
        shape: share for shape, share in PAPER_MIX.items() if not all(shape_problem(shape, number) for number in hops)
    }
    if not shares:
        raise typer.BadParameter("--min-hops: it is more than --max-hops")
    return {shape: share / sum(shares.values()) for shape, share in shares.items()}


def spread(mix: Mapping[Topology, float], count: int) -> list[Topology]:
    """``count`` shapes in these shares; any first part of them has about the same shares.

    >>> [topology.value for topology in spread({Topology.MULTI_HOP: 0.7, Topology.SINGLE_HOP: 0.3}, 3)]
    ['multi_hop', 'single_hop', 'multi_hop']
    """
    taken: Counter[Topology] = Counter()
    shapes: list[Topology] = []
    for number in range(1, count + 1):
        behind = {topology: share * number - taken[topology] for topology, share in mix.items()}
        shapes.append(max(behind, key=lambda topology: behind[topology]))
        taken[shapes[-1]] += 1
    return shapes


def read_rows(path: Path, column: str) -> list[dict[str, str]]:
    """The rows of a JSON Lines file that have ``column`` and perhaps ``domain`` and ``language`` as texts."""
    rows = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get(column), str) or not row[column].strip():
            raise typer.BadParameter(f"{path}, line {number}: not a JSON object with a text `{column}`")
        rows.append({key: value for key, value in row.items() if isinstance(value, str)})
    if not rows:
        raise typer.BadParameter(f"{path} has no rows")
    return rows


class Node(BaseModel):
    """A place in a taxonomy; one without children is a leaf."""

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    examples: list[str] = []
    children: list["Node"] = []


def read_taxonomy(path: Path) -> list[TaxonomyLeaf]:
    """The leaves of a JSON tree of :class:`Node`, or of a list of them. Of several examples the first is taken."""
    try:
        roots = _TREES.validate_json(_text(path))
        leaves: list[TaxonomyLeaf] = []
        waiting = [("", root) for root in reversed(roots if isinstance(roots, list) else [roots])]
        while waiting:
            above, node = waiting.pop()
            name = f"{above} / {node.name}" if above else node.name
            waiting += [(name, child) for child in reversed(node.children)]
            if not node.children:
                example = node.examples[0] if node.examples else None
                leaves.append(TaxonomyLeaf(path=name, description=node.description, example=example))
    except ValidationError as error:
        raise typer.BadParameter(f"{path} is no taxonomy: {told(error)}") from None
    return leaves


_TREES: TypeAdapter[Node | list[Node]] = TypeAdapter(Node | list[Node])


def subjects(
    domains: Sequence[str],
    questions: Path | None,
    corpus: Path | None,
    taxonomy: Path | None,
    hold_back: float,
    rng: random.Random,
) -> list[dict[str, Any]]:
    """What arenas may be about: the fields of a job, one entry a row of the files, or one a domain."""
    found: list[dict[str, Any]]
    if questions is not None:
        rows = read_rows(questions, "question")
        found = [_subject("question", row["question"], row) for row in rows]
    elif corpus is not None:
        rows = read_rows(corpus, "knowledge_corpus")
        found = [_subject("knowledge", row["knowledge_corpus"], row) for row in rows]
    elif taxonomy is not None:
        found = [
            {
                "taxonomy": leaf.model_copy(update={"example": None}) if rng.random() < hold_back else leaf,
                "domain": leaf.path.split(" / ")[0],
            }
            for leaf in read_taxonomy(taxonomy)
        ]
    else:
        found = [{"domain": domain} for domain in domains]
    found = [each for each in found if not domains or each["domain"] in domains or each["domain"] is None]
    if not found:
        raise typer.BadParameter("there is nothing to make arenas about: give DOMAIN, or a file that has rows of it")
    if questions is not None or corpus is not None or taxonomy is not None:
        rng.shuffle(found)
    return [{**each, "domain": each["domain"] or (domains[0] if domains else "general")} for each in found]


def _subject(field: str, text: str, row: Mapping[str, str]) -> dict[str, Any]:
    told = {"language": row["language"]} if "language" in row else {}
    return {field: text, "domain": row.get("domain"), **told}


def arena_jobs(
    about: Sequence[Mapping[str, Any]],
    count: int,
    seed: int,
    mix: Mapping[Topology, float] | None,
    **more: Any,
) -> list[CreateJob]:
    """``count`` jobs, the subjects by turns; what a subject tells of itself goes before ``more``.

    Raises BadParameter for what no arena can be.
    """
    shapes = spread(mix, count) if mix else [None] * count
    try:
        return [
            CreateJob(
                key=str(number),
                payload=ArenaJob.model_validate(
                    {"topology": shapes[number], **more, **about[number % len(about)], "seed": (seed + number) % 2**31}
                ),
            )
            for number in range(count)
        ]
    except ValidationError as error:
        raise typer.BadParameter(told(error)) from None


def grouped(jobs: Sequence[CreateJob]) -> tuple[str, list[CreateJob]]:
    """The jobs under keys that follow from all they ask for, and what the keys begin with: the same work is done once,
    and other work, as of a file that was edited, is other jobs."""
    name = content_id("arena", [job.payload.model_dump(mode="json") for job in jobs])
    group = f"cli:arena:{name.removeprefix('arena_')[:16]}:"
    return group, [job.model_copy(update={"key": f"{group}{number}"}) for number, job in enumerate(jobs)]


def _text(path: Path) -> str:
    try:
        return read_bytes(path, _MOST).decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} is not UTF-8: {error}") from None
