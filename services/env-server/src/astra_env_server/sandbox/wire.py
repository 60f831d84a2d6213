"""Length-prefixed frames over a unix socket, on the event loop. Everything that arrives is hostile."""

import array
import asyncio
import socket
import struct

_CREDENTIALS = struct.Struct("3i")
_CHUNK = 1 << 16


class WireError(Exception):
    """The other end broke the protocol: a frame that is too long, or one that nobody asked for."""


class WireClosed(Exception):
    """The other end is gone."""


class Wire:
    """One connected socket, with at most one reader that waits."""

    def __init__(self, sock: socket.socket, max_frame: int, *, credentials: bool = False) -> None:
        self.error: WireError | WireClosed | None = None
        """Why nothing more can be read; None while all is well."""
        self.peer_pid: int | None = None
        """The process that sent the first bytes: the kernel's word, in our numbering. Needs ``credentials``."""
        self._sock = sock
        self._max_frame = max_frame
        self._credentials = credentials
        self._buffer = bytearray()
        self._waiter: asyncio.Future[bytes] | None = None
        self._loop = asyncio.get_running_loop()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        sock.setblocking(False)
        if credentials:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._loop.add_reader(sock.fileno(), self._readable)

    def expect(self) -> asyncio.Future[bytes]:
        """The next frame to come. Ask before what provokes it is sent; it raises WireError or WireClosed."""
        self._waiter = self._loop.create_future()
        if self.error is not None:
            self._waiter.set_exception(self.error)
        return self._waiter

    async def exchange(self, body: bytes, timeout_s: float | None = None) -> bytes:
        """Send one frame and give the one that answers it. Raises TimeoutError, WireError, WireClosed."""
        answer = self.expect()
        data = struct.pack(">I", len(body)) + body
        try:
            sent = self._send_at_once(data)
            if sent == len(data) and timeout_s is not None:
                # A timer of the loop costs a tenth of a timeout block, and this is what nearly every call comes to.
                timer = self._loop.call_later(timeout_s, _expire, answer)
                try:
                    return await answer
                finally:
                    timer.cancel()
            async with asyncio.timeout(timeout_s):
                await self._send_rest(data[sent:])
                return await answer
        finally:
            answer.cancel()
            self._waiter = None

    def _send_at_once(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise WireClosed(str(error)) from None

    async def _send_rest(self, data: bytes) -> None:
        if data:
            try:
                await self._loop.sock_sendall(self._sock, data)
            except OSError as error:
                raise WireClosed(str(error)) from None

    async def send(self, body: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send one frame, with descriptors if any; raises WireClosed."""
        data = memoryview(struct.pack(">I", len(body)) + body)
        passed = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors).tobytes())] if descriptors else []
        )
        try:
            while True:
                try:
                    sent = self._sock.sendmsg([data], passed)
                    break
                except BlockingIOError:
                    await self._writable()  # nothing went out, and descriptors go with the first byte
            if sent < len(data):
                await self._loop.sock_sendall(self._sock, data[sent:])
        except OSError as error:
            raise WireClosed(str(error)) from None

    async def closed(self) -> None:
        """Wait until the other end is gone, whatever it still says."""
        await asyncio.shield(self._closed)

    def close(self) -> None:
        """Close the socket; who waits gets WireClosed."""
        self._end(WireClosed("closed here"))
        self._sock.close()

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._sock.fileno(), ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(self._sock.fileno())

    def _receive(self) -> bytes:
        if not self._credentials or self.peer_pid is not None:
            return self._sock.recv(_CHUNK)
        # Room for the credentials alone, so that a descriptor sent along is never taken in.
        data, ancillary, _, _ = self._sock.recvmsg(_CHUNK, socket.CMSG_SPACE(_CREDENTIALS.size))
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(content) >= _CREDENTIALS.size:
                self.peer_pid = _CREDENTIALS.unpack_from(content)[0]
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        return data

    def _readable(self) -> None:
        try:
            data = self._receive()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(WireClosed("the other end is gone"))
        elif self.error is None:
            self._take(data)

    def _take(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            return self._fail(WireError("a frame that nobody asked for"))
        if not self._buffer and len(data) >= 4 and int.from_bytes(data[:4], "big") == len(data) - 4 <= self._max_frame:
            self._waiter.set_result(data[4:])  # whole in one piece, as nearly every answer is
            return
        self._buffer += data
        if len(self._buffer) < 4:
            return
        length = int.from_bytes(self._buffer[:4], "big")
        if length > self._max_frame:
            self._fail(WireError(f"a frame of {length} bytes"))
        elif len(self._buffer) > 4 + length:
            self._fail(WireError("more than one answer"))
        elif len(self._buffer) == 4 + length:
            frame = bytes(self._buffer[4:])
            self._buffer.clear()
            self._waiter.set_result(frame)

    def _fail(self, error: WireError | WireClosed) -> None:
        self._buffer.clear()
        self.error = self.error or error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def _end(self, error: WireClosed) -> None:
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
        self._fail(error)
        if not self._closed.done():
            self._closed.set_result(None)


def _expire(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
