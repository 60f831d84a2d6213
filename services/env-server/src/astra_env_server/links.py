"""What can be done next with what a route answered: from an arena to an env, through an episode, to its end."""

from astra_service.links import Link
from pydantic import JsonValue

_MADE = "$response.body#/id"
_FIRST = "$response.body#/items/0/id"
_NEXT = "$response.body#/next_cursor"
_SAME = "$request.path.env_id"
_ANSWER: JsonValue = {"content": "I do not know."}


def _with_arena(source: str, status: int, arena_id: str) -> list[Link]:
    looks = ("get_arena", "get_full_arena", "get_soundness", "recheck_arena")
    return [
        *(Link(source, status, look, {"arena_id": arena_id}) for look in looks),
        Link(source, status, "create_env", body={"arena_id": arena_id}),
        Link(source, status, "gem_make", body={"env_id": arena_id}),
    ]


def _with_env(source: str, status: int, env_id: str, *targets: str) -> list[Link]:
    return [
        *(Link(source, status, target, {"env_id": env_id}) for target in targets),
        Link(source, status, "batch_step", body={"steps": [{"env_id": env_id, "action": _ANSWER}]}),
        Link(source, status, "get_observation", body={"trajectory_ids": [env_id], "actions": ["I do not know."]}),
    ]


_LOOKS = ("get_env", "get_trajectory", "regrade_env", "fork_env", "delete_env", "play_over_mcp")

LINKS: list[Link] = [
    *_with_arena("publish_arena", 201, _MADE),
    *_with_arena("publish_arena", 200, _MADE),
    *_with_arena("list_arenas", 200, _FIRST),
    Link("list_arenas", 200, "list_arenas", {"cursor": _NEXT}),
    Link("list_demonstrations", 200, "list_demonstrations", {"cursor": _NEXT}),
    *_with_env("list_envs", 200, _FIRST, "reset_env", "step_env", *_LOOKS),
    Link("list_envs", 200, "list_envs", {"cursor": _NEXT}),
    *_with_env("create_env", 201, _MADE, "reset_env", "step_env", *_LOOKS),
    *_with_env("reset_env", 200, _SAME, "step_env", *_LOOKS),
    *_with_env("step_env", 200, _SAME, "step_env", "reset_env", *_LOOKS),
    *_with_env("fork_env", 201, _MADE, "step_env", "reset_env", *_LOOKS),
    Link("delete_env", 204, "get_env", {"env_id": _SAME}),
    Link("delete_env", 204, "step_env", {"env_id": _SAME}),
    *(
        Link("gem_make", 200, target, body={"sandbox_id": "$response.body#/sandbox_id"})
        for target in ("gem_reset", "gem_step", "gem_close")
    ),
    *(
        Link("gem_reset", 200, target, body={"sandbox_id": "$request.body#/sandbox_id"})
        for target in ("gem_step", "gem_close")
    ),
    Link("create_key", 201, "get_key", {"key_id": _MADE}),
    Link("create_key", 201, "revoke_key", {"key_id": _MADE}),
    Link("list_keys", 200, "get_key", {"key_id": _FIRST}),
    Link("list_keys", 200, "list_keys", {"cursor": _NEXT}),
]
