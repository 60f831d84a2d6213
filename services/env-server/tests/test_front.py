"""Several servers behind one address: connections are dealt out, whole, and none waits for a server that is gone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from astra_env_server.main import front
from astra_env_server.routing.front import Front, addresses_of

pytestmark = pytest.mark.anyio
FIRST, SECOND, NOBODY = "127.0.0.2", "127.0.0.3", "127.0.0.4"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says where it is, then everything once more, and ends when the other side has ended."""
    writer.write(writer.get_extra_info("sockname")[0].encode() + b"\n")
    while chunk := await reader.read(10_000):
        writer.write(chunk)
    writer.close()


@asynccontextmanager
async def fronted(*addresses: str, listening: tuple[str, ...] = (FIRST, SECOND)) -> AsyncIterator[int]:
    """The port of a front before servers on one port of these addresses."""

    async def look_up() -> list[str]:
        return list(addresses)

    async with AsyncExitStack() as stack:
        port = 0
        for address in listening:
            server = await stack.enter_async_context(await asyncio.start_server(echo, address, port))
            port = server.sockets[0].getsockname()[1]
        front = await stack.enter_async_context(await asyncio.start_server(Front(look_up, port), "127.0.0.1", 0))
        yield front.sockets[0].getsockname()[1]


async def said(port: int, body: bytes = b"") -> tuple[str, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(body)
    writer.write_eof()
    who = await reader.readline()
    told = await reader.read()
    writer.close()
    return who.decode().strip(), told


async def test_each_takes_its_turn_and_nothing_is_lost() -> None:
    body = bytes(range(256)) * 8_000
    async with fronted(FIRST, SECOND) as port:
        answers = await asyncio.gather(*(said(port, body) for _ in range(10)))
    assert [who for who, _ in answers].count(FIRST) == 5
    assert {told for _, told in answers} == {body}


async def test_one_that_is_gone_is_passed_over() -> None:
    async with fronted(FIRST, NOBODY, SECOND) as port:
        assert {(await said(port, b"x"))[0] for _ in range(6)} == {FIRST, SECOND}


async def test_a_name_is_looked_up_and_one_that_nobody_has_is_no_address() -> None:
    assert "127.0.0.1" in await addresses_of("localhost")()
    assert await addresses_of("no-such-name.invalid")() == []


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"cannot start: no listening on 127.0.0.1 port {port}: "):
            front("localhost:8003", "127.0.0.1", port)
