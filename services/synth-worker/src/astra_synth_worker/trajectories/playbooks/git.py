"""A repository with one commit on ``main``."""

from random import Random
from typing import Any

from astra_synth_worker.trajectories.playbooks.moves import Facts, Move, Playbook
from astra_synth_worker.trajectories.playbooks.words import ITEMS, TOPICS


def _branch(rng: Random, facts: Facts) -> Facts:
    kind = rng.choice(("feature", "fix", "docs", "release"))
    taken = facts.get("branches", ())
    branch = f"{kind}/{rng.choice(TOPICS)}-{rng.choice(ITEMS)}-{rng.randint(2, 99)}"
    return {"branch": branch, "branches": (*taken, branch)}


def _message(rng: Random, facts: Facts) -> Facts:
    return {"message": f"{rng.choice(('Add', 'Keep', 'Record'))} {rng.choice(TOPICS)} notes for {rng.choice(ITEMS)}"}


def _count(rng: Random, facts: Facts) -> Facts:
    return {"count": rng.randint(1, 10)}


def _context(rng: Random, facts: Facts) -> Facts:
    return {"lines": rng.randint(1, 8)}


def _nothing(rng: Random, facts: Facts) -> Facts:
    return {}


def _repo(facts: Facts, **more: Any) -> dict[str, Any]:
    return {"repo_path": facts["repo"], **more}


def _quoted(facts: Facts, result: Any) -> str:
    lines = [line.strip() for line in str(result).splitlines() if line.strip()]
    return "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more lines" if len(lines) > 8 else "")


def _difference(facts: Facts, result: Any) -> str:
    head, _, body = str(result).partition("\n")
    return f"{head.rstrip(':')}: {_quoted(facts, body)}." if body.strip() else f"{head.rstrip(':')}: there are none."


def _subject(result: Any) -> str | None:
    return next((line.split()[-1] for line in str(result).splitlines() if line.lower().startswith("commit: ")), None)


BOOK = Playbook(
    server="git",
    start={"repo": "repo", "branch": "main"},
    moves=(
        Move(
            tool="git_status",
            draw=_nothing,
            asks=("tell me the state of the working tree", "check whether the working tree is clean"),
            arguments=lambda f, k: _repo(f),
            says=lambda f, r: f"The state of the working tree: {_quoted(f, str(r).partition(':')[2])}.",
        ),
        Move(
            tool="git_log",
            draw=_count,
            asks=("show me the last {count} commits", "list up to {count} commits of the history"),
            arguments=lambda f, k: _repo(f, max_count=f["count"]),
            says=lambda f, r: f"The history: {_quoted(f, str(r).partition(':')[2])}.",
            learns=lambda r: {"revision": _subject(r)} if _subject(r) else {},
        ),
        Move(
            tool="git_create_branch",
            draw=_branch,
            asks=("create a branch {branch}", "start a new branch called {branch}"),
            arguments=lambda f, k: _repo(f, branch_name=f["branch"]),
            says=lambda f, r: f"{r}.",
            gives=("branch",),
            takes=("on_branch",),
        ),
        Move(
            tool="git_checkout",
            draw=_nothing,
            asks=("switch to {branch}", "check out {branch}"),
            arguments=lambda f, k: _repo(f, branch_name=f["branch"]),
            says=lambda f, r: f"{r}.",
            needs=("branch",),
            gives=("on_branch",),
        ),
        Move(
            tool="git_branch",
            draw=_nothing,
            asks=("list the local branches", "tell me which local branches there are"),
            arguments=lambda f, k: _repo(f, branch_type="local"),
            says=lambda f, r: f"The local branches (the current one is starred): {_quoted(f, r)}.",
        ),
        Move(
            tool="git_show",
            draw=_nothing,
            asks=("show me what the latest commit holds", "open the latest commit and tell me what it says"),
            arguments=lambda f, k: _repo(f, revision=k.get("revision", "HEAD")),
            says=lambda f, r: f"The latest commit: {_quoted(f, r)}.",
        ),
        Move(
            tool="git_diff",
            draw=_nothing,
            asks=("compare the working tree with {branch}", "show how this differs from {branch}"),
            arguments=lambda f, k: _repo(f, target=f["branch"]),
            says=_difference,
        ),
        Move(
            tool="git_diff_unstaged",
            draw=_context,
            asks=("show me changes that are not staged, with {lines} lines of context",),
            arguments=lambda f, k: _repo(f, context_lines=f["lines"]),
            says=_difference,
        ),
        Move(
            tool="git_diff_staged",
            draw=_context,
            asks=("show me what is staged, with {lines} lines of context",),
            arguments=lambda f, k: _repo(f, context_lines=f["lines"]),
            says=_difference,
        ),
        Move(
            tool="git_add",
            draw=_nothing,
            asks=("stage everything that changed", "add all changes to the staging area"),
            arguments=lambda f, k: _repo(f, files=["."]),
            says=lambda f, r: f"Staging: {_quoted(f, r)}",
            gives=("staged",),
        ),
        Move(
            tool="git_commit",
            draw=_message,
            asks=('commit it as "{message}"', 'record that with the message "{message}"'),
            arguments=lambda f, k: _repo(f, message=f["message"]),
            says=lambda f, r: f"The commit: {_quoted(f, r)}.",
            learns=lambda r: {},
            needs=("staged",),
            takes=("staged",),
        ),
        Move(
            tool="git_reset",
            draw=_nothing,
            asks=("unstage whatever is staged", "empty the staging area"),
            arguments=lambda f, k: _repo(f),
            says=lambda f, r: f"{r}.",
            takes=("staged",),
        ),
    ),
)
