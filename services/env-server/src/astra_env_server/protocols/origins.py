"""Keeping web pages out: a page that a browser shows may not play envs on its user's machine.

A WebSocket and a POST without CORS are open to every page, and a page whose own name was made to point at 127.0.0.1
passes for the same origin (DNS rebinding). So the name that a caller used must be one of ours where only this machine
is served, and an ``Origin`` must be this server's or a page of this machine. Programs send no ``Origin``.
"""

import ipaddress
from urllib.parse import urlsplit

from astra_proto.errors import Forbidden
from astra_service.settings import ServiceSettings
from starlette.datastructures import Headers


def check_origin(headers: Headers, settings: ServiceSettings) -> None:
    """Raises Forbidden for a call that a foreign page made."""
    host = headers.get("host", "")
    if _is_local(settings.public_host or settings.host) and not _is_local(_name(f"//{host}")):
        raise Forbidden(f"the name {host[:200]!r} is not this server's: call it by the address that it listens on")
    origin = headers.get("origin")
    if origin is not None and not _is_local(_name(origin)) and urlsplit(origin).netloc != host:
        raise Forbidden(f"pages of {origin[:200]!r} may not play here: send no Origin header")


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_local(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
