"""Objects in a store."""

from random import Random

from astra_synth_worker.trajectories.playbooks.moves import Facts, Move, Playbook
from astra_synth_worker.trajectories.playbooks.words import TOPICS

_KINDS = {"csv": "text/csv", "pdf": "application/pdf", "json": "application/json", "txt": "text/plain"}


def _object(rng: Random, facts: Facts) -> Facts:
    folder, kind = rng.choice(("reports", "exports", "archive", "drafts")), rng.choice(sorted(_KINDS))
    key = f"{folder}/{rng.choice(TOPICS)}-{rng.randint(2019, 2026)}-{rng.randint(1, 12):02}.{kind}"
    return {"key": key, "prefix": f"{folder}/", "content_type": _KINDS[kind], "size": rng.randint(200, 90_000)}


def _nothing(rng: Random, facts: Facts) -> Facts:
    return {}


BOOK = Playbook(
    server="files",
    start={},
    moves=(
        Move(
            tool="put_object",
            draw=_object,
            asks=(
                "store {key} ({content_type}, {size} bytes)",
                "save an object {key} of {size} bytes with type {content_type}",
            ),
            arguments=lambda f, k: {"key": f["key"], "content_type": f["content_type"], "size": f["size"]},
            says=lambda f, r: (
                f"{r['key']} is stored with {r['size']} bytes as version {r['version']}, etag {r['etag']}."
            ),
            gives=("object",),
        ),
        Move(
            tool="get_object",
            draw=_nothing,
            asks=("show me what is on record for {key}", "check version and etag of {key}"),
            arguments=lambda f, k: {"key": f["key"]},
            says=lambda f, r: (
                f"On record for {r['key']}: version {r['version']}, {r['size']} bytes, {r['content_type']}, "
                f"etag {r['etag']}."
            ),
            needs=("object",),
        ),
        Move(
            tool="list_objects",
            draw=_nothing,
            asks=("list everything under {prefix}", "tell me which objects begin with {prefix}"),
            arguments=lambda f, k: {"prefix": f["prefix"]},
            says=lambda f, r: (
                f"Under {f['prefix']} there are {r['count']} objects: "
                + (", ".join(found["key"] for found in r["data"]) or "none")
                + "."
            ),
            needs=("object",),
        ),
        Move(
            tool="delete_object",
            draw=_nothing,
            asks=("delete {key}", "remove {key} from the store"),
            arguments=lambda f, k: {"key": f["key"]},
            says=lambda f, r: f"{r['key']} is deleted.",
            needs=("object",),
            takes=("object",),
        ),
    ),
)
