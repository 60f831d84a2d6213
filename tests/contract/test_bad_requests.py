"""A bad request to any route of any service gets a 4xx in the one error shape, and schemathesis finds no 5xx."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

import httpx2
import pytest
import schemathesis
import uvicorn
from astra_proto.errors import ErrorBody
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

QUIET: dict[str, dict[str, Any]] = {
    "synth-worker": {"concurrency": 0},
    "tool-registry": {"allowed_commands": []},
}

NO_JSON = [
    (b"{", 400),
    (b"\xff\xfe", 400),
    (b'{"a": NaN}', 400),
    (b'{"a": "\\ud800"}', 400),
    (b'{"a": "\\u0000"}', 400),
    (b"[" * 5_000, 400),
    (b'{"a":' * 100 + b"1" + b"}" * 100, 400),
    (b" " * 5_000_000 + b"{}", 413),
]


NEIGHBOURS = {"trainer": ("env-server", "synth-worker"), "synth-worker": ("tool-registry", "env-server")}
"""Services that a route, or /readyz, reads from: without them it is right to answer 503."""


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application behind a real uvicorn on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the application did not start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def app(service: str, make_app: Callable[..., FastAPI]) -> Iterator[FastAPI]:
    with ExitStack() as stack:
        urls = {
            f"{name.replace('-', '_')}_url": stack.enter_context(serving(make_app(name, **QUIET.get(name, {}))))
            for name in NEIGHBOURS.get(service, ())
        }
        yield make_app(service, **QUIET.get(service, {}), **urls)


@pytest.fixture(scope="module")
def url(app: FastAPI) -> Iterator[str]:
    with serving(app) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, timeout=60) as client:
        yield client


def operations(app: FastAPI) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if path not in ("/healthz", "/readyz", "/metrics")
    ]


def is_error(response: httpx2.Response, *statuses: int) -> bool:
    ErrorBody.model_validate(response.json())
    return response.status_code in statuses


def test_bodies_that_are_no_json_or_too_large(client: httpx2.Client, app: FastAPI) -> None:
    for method, path, operation in operations(app):
        if "requestBody" not in operation:
            continue
        place = re.sub(r"\{\w+\}", "x_0", path)
        for body, status in NO_JSON:
            response = client.request(method, place, content=body, headers={"Content-Type": "application/json"})
            assert is_error(response, status), (
                f"{method} {path} {body[:20]!r}: {response.status_code} {response.text[:200]}"
            )
        for body in (b"[]", b"null", b"7", b'"text"', b'{"no_such_field": 1}'):
            response = client.request(method, place, content=body, headers={"Content-Type": "application/json"})
            assert is_error(response, 404, 422), (
                f"{method} {path} {body!r}: {response.status_code} {response.text[:200]}"
            )


def test_unknown_ids(client: httpx2.Client, app: FastAPI) -> None:
    for method, path, operation in operations(app):
        if "{" not in path or "requestBody" in operation:
            continue
        for made_up in ("x", "ar_" + "0" * 32, "%00", "a" * 3_000, "..a", "é", "-1"):
            place = re.sub(r"\{\w+\}", made_up, path)
            response = client.request(method, place)
            gone_already = method == "DELETE" and response.status_code == 204
            assert gone_already or is_error(response, 404, 405, 422), (
                f"{method} {place}: {response.status_code} {response.text[:200]}"
            )


def test_odd_pages(client: httpx2.Client, app: FastAPI) -> None:
    for method, path, operation in operations(app):
        names = {p["name"] for p in operation.get("parameters", [])}
        if method != "GET" or "cursor" not in names or "{" in path:
            continue
        for query in (
            "cursor=%00",
            "cursor=%ff",
            "cursor=nonsense",
            "limit=0",
            "limit=-1",
            "limit=99999999999999999999",
            "limit=x",
        ):
            response = client.get(f"{path}?{query}")
            assert is_error(response, 422), f"{path}?{query}: {response.status_code} {response.text[:200]}"


def test_wrong_token(service: str, make_app: Callable[..., FastAPI]) -> None:
    guarded = make_app(service, api_token="secret", **QUIET.get(service, {}))
    with serving(guarded) as url, httpx2.Client(base_url=url, timeout=60) as client:
        for method, path, _ in operations(guarded):
            place = re.sub(r"\{\w+\}", "x_0", path)
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
                assert is_error(client.request(method, place, headers=headers), 401), f"{method} {path} {headers}"
        assert client.get("/healthz").status_code == 200


def test_schemathesis_finds_no_server_error(app: FastAPI, url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def attack(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=checks)

        attack()
