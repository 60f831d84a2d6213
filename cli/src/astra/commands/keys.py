"""`astra env keys`: who may call the environment server."""

from typing import Annotated

import typer
from astra_proto.access import CreateKey, KeyView, NewKey, Role
from astra_service.client import ApiClient
from pydantic import ValidationError

from astra import console
from astra.connect import Json, command
from astra.paging import listing

app = typer.Typer(
    name="keys",
    no_args_is_help=True,
    help="Keys of the environment server. They are made and revoked with the root token or the key of an admin in "
    "ASTRA_API_TOKEN.",
)


@command(app)
async def create(
    envs: ApiClient,
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Whose key: lower-case letters, digits, - _ .")],
    role: Annotated[Role, typer.Argument(help="What it is for.")],
    name: Annotated[str, typer.Option(help="For people: what or whom it is for.")] = "",
    max_envs: Annotated[int | None, typer.Option(min=1, help="Envs open at once; no limit if left out.")] = None,
    steps_per_minute: Annotated[int | None, typer.Option(min=1, help="Steps in a minute; likewise.")] = None,
    days: Annotated[float | None, typer.Option(min=0.01, help="Days until it expires; never if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once: only its hash is kept.

    Each role may do all that those before it may: an agent plays envs of its own, a trainer also sees answers and every
    env of its tenant whole, a publisher also publishes arenas and runs code in the sandbox, an admin also sees every
    tenant and hands out keys.

    Examples:

      astra env keys create team-a agent --max-envs 8 --steps-per-minute 600 --days 30

      KEY=$(astra env keys create team-a trainer --json | jq -r .key)
    """
    try:
        request = CreateKey(
            tenant=tenant,
            role=role,
            name=name,
            max_envs=max_envs,
            steps_per_minute=steps_per_minute,
            ttl_s=None if days is None else days * 86_400,
        )
    except ValidationError as error:
        raise typer.BadParameter("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())) from None
    made = await envs.post("/keys", request, NewKey)
    if as_json:
        console.emit(made)
        return
    console.say(made.key)
    console.say(
        f"{made.id}: {made.role} of {made.tenant}. Keep the key now, it is not shown again.\n"
        f"Use it:    ASTRA_API_TOKEN=KEY astra env capacity\n"
        f"Revoke it: astra env keys revoke {made.id}",
        "dim",
        to=console.err,
    )


@command(app)
async def ls(
    envs: ApiClient,
    tenant: Annotated[str | None, typer.Option(help="Only keys of this tenant.")] = None,
    as_json: Json = False,
) -> None:
    """List keys, without their secrets.

    Example: astra env keys ls --tenant team-a
    """
    keys = await listing(envs, "/keys", KeyView, tenant=tenant)
    if as_json:
        console.emit_all(keys)
        return
    rows = [
        (key.id, key.tenant, key.role, _limits(key), "revoked" if key.revoked_at else _until(key), key.name)
        for key in keys
    ]
    columns = ("id", "tenant", "role", "limits", "good until", "name")
    console.table("Keys", columns, rows, empty="No keys yet: `astra env keys create TENANT ROLE` makes one.")


@command(app)
async def revoke(
    envs: ApiClient,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key, key_….")],
    as_json: Json = False,
) -> None:
    """Make a key worth nothing, within seconds on every replica. Its envs stay until their time is over.

    Example: astra env keys revoke key_0123456789abcdef
    """
    await envs.get(f"/keys/{key_id}", KeyView)  # that there is none must be told
    await envs.delete(f"/keys/{key_id}")
    if as_json:
        console.emit(await envs.get(f"/keys/{key_id}", KeyView))
        return
    console.say(f"{key_id} is revoked.")


def _limits(key: KeyView) -> str:
    envs = f"{key.max_envs} envs" if key.max_envs else ""
    steps = f"{key.steps_per_minute} steps/min" if key.steps_per_minute else ""
    return ", ".join(part for part in (envs, steps) if part) or "none"


def _until(key: KeyView) -> str:
    return f"{key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "for ever"
