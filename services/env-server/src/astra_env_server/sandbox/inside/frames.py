"""Frames on a descriptor: ``u32 length | body``, written and read with plain system calls."""

import os
import struct


class Closed(Exception):
    """The other end is gone."""


def read_exactly(descriptor: int, count: int) -> bytes:
    """That many bytes; raises Closed at the end of the stream."""
    parts: list[bytes] = []
    while count:
        part = os.read(descriptor, min(count, 1 << 20))
        if not part:
            raise Closed
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_frame(descriptor: int) -> bytes:
    """The body of the next frame, from a peer that sends no other before it is answered."""
    data = os.read(descriptor, 1 << 16)
    if not data:
        raise Closed
    if len(data) < 4:
        data += read_exactly(descriptor, 4 - len(data))
    length: int = struct.unpack_from(">I", data)[0]
    missing = 4 + length - len(data)
    return data[4:] + read_exactly(descriptor, missing) if missing > 0 else data[4:]


def write_frame(descriptor: int, body: bytes) -> None:
    """Send one frame whole."""
    data = memoryview(struct.pack(">I", len(body)) + body)
    while data:
        data = data[os.write(descriptor, data) :]
