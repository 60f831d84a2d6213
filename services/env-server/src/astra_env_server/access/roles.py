"""What each role may do: one table of routes, each with the least role that it takes. A path not in it is not there."""

from dataclasses import dataclass, field

from astra_proto.access import Role
from astra_proto.errors import MethodNotAllowed, NotFound

WEBSOCKET = "WS"
"""The method of a WebSocket in the table."""

_A, _T, _P, _X = Role.AGENT, Role.TRAINER, Role.PUBLISHER, Role.ADMIN

RULES: dict[tuple[str, str], Role] = {
    ("GET", "/arenas"): _A,
    ("GET", "/arenas/{arena_id}"): _A,
    ("GET", "/capacity"): _A,
    ("GET", "/envs"): _A,  # those that the key may use
    ("POST", "/envs"): _A,
    ("GET", "/envs/{env_id}"): _A,
    ("DELETE", "/envs/{env_id}"): _A,
    ("POST", "/envs/{env_id}/reset"): _A,
    ("POST", "/envs/{env_id}/step"): _A,
    ("GET", "/envs/{env_id}/trajectory"): _A,  # as it was shown to the agent; trainers get it whole
    (WEBSOCKET, "/envs/{env_id}/ws"): _A,
    (WEBSOCKET, "/arenas/{arena_id}/ws"): _A,
    ("GET", "/envs/{env_id}/mcp"): _A,
    ("POST", "/envs/{env_id}/mcp"): _A,
    ("DELETE", "/envs/{env_id}/mcp"): _A,
    ("POST", "/apis/v1/envs/gem/make"): _A,
    ("POST", "/apis/v1/envs/gem/reset"): _A,
    ("POST", "/apis/v1/envs/gem/step"): _A,
    ("POST", "/apis/v1/envs/gem/close"): _A,
    ("POST", "/envs/{env_id}/fork"): _T,
    ("POST", "/envs/{env_id}/regrade"): _T,
    ("POST", "/batch/step"): _T,
    ("POST", "/gym/get_observation"): _T,
    ("GET", "/arenas/{arena_id}/full"): _T,
    ("GET", "/arenas/{arena_id}/soundness"): _T,  # it may quote answers
    ("GET", "/demonstrations"): _T,
    ("POST", "/solve-rates"): _T,
    ("POST", "/arenas"): _P,
    ("POST", "/arenas/check"): _P,
    ("POST", "/arenas/{arena_id}/check"): _P,
    ("POST", "/sandbox/run"): _P,
    ("GET", "/keys"): _X,
    ("POST", "/keys"): _X,
    ("GET", "/keys/{key_id}"): _X,
    ("DELETE", "/keys/{key_id}"): _X,
}


@dataclass
class _Place:
    """A place in the tree of paths: what may follow it, and what may be done at it."""

    next: dict[str, "_Place"] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)


def _tree(rules: dict[tuple[str, str], Role]) -> _Place:
    root = _Place()
    for (method, path), role in rules.items():
        place = root
        for part in path.split("/")[1:]:
            place = place.next.setdefault("{}" if part.startswith("{") else part, _Place())
        place.roles[method] = role
    return root


_TREE = _tree(RULES)


def is_gallery(path: str) -> bool:
    """Whether this is a file of the gallery, which is the same for everyone and holds no data."""
    return path == "/ui" or path.startswith("/ui/")


def least_role(method: str, path: str) -> Role:
    """The least role that may do this. Raises NotFound, MethodNotAllowed for what is not in the table."""
    place = _TREE
    for part in path.split("/")[1:]:
        following = place.next.get(part) or (place.next.get("{}") if part else None)
        if following is None:
            raise NotFound
        place = following
    if not place.roles:
        raise NotFound
    role = place.roles.get(method)
    if role is None:
        raise MethodNotAllowed
    return role
