"""The locks a process takes on itself: resource limits, Landlock, seccomp. Each raises OSError when it cannot be had.

All three stay for ever and pass to children; a second one on top can only narrow what is left.
"""

import ctypes
import errno
import os
import platform
import resource
import stat
import struct
from collections.abc import Iterable, Mapping

from .syscalls import FORK_FLAGS, MASKED, NUMBERS, ZYGOTE_MASKED, ZYGOTE_ONLY

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38

# The same numbers on x86_64 and aarch64. The zygote's own table lacks what is only called before it is locked.
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_SECCOMP_SET_FILTER, _FLAG_NEW_LISTENER = 1, 1 << 3

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _NOTIFY, _ERRNO, _KILL = 0x7FFF0000, 0x7FC00000, 0x00050000, 0x80000000
_X32 = 0x40000000

FS_WRITE_FILE, FS_READ_FILE, FS_READ_DIR = 1 << 1, 1 << 2, 1 << 3

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _syscall(number: int, *args: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *args)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def prctl(option: int, value: int) -> None:
    """One ``prctl(2)``."""
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")


def limit(limits: Mapping[int, int]) -> None:
    """Set resource limits, hard and soft alike; where the hard one is lower already, that one stays."""
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


# ---- Landlock


def landlock_abi() -> int:
    """The version of Landlock that the kernel speaks; 0 for none."""
    try:
        return _syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def landlock(abi: int, readable: Iterable[str], listable: Iterable[str], devices: Iterable[str]) -> None:
    """Enter a domain that may read ``readable`` trees, list ``listable`` folders, read and write ``devices``, no more.

    No file is executed, no TCP port bound or connected (ABI 4), no signal or abstract socket leaves the domain (ABI 6).
    """
    ruleset = _ruleset(abi, _filesystem_rights(abi))
    try:
        for paths, access in (
            (readable, FS_READ_FILE | FS_READ_DIR),
            (listable, FS_READ_DIR),
            (devices, FS_READ_FILE | FS_WRITE_FILE),
        ):
            for path in paths:
                _add_path(ruleset, path, access)
        _syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def landlock_apart(abi: int) -> None:
    """Enter a domain of one's own inside the present one: siblings can no longer trace or signal each other.

    It gives up what the present one may not do anyway, and leaves what that one may read as it is.
    """
    ruleset = _ruleset(abi, _filesystem_rights(abi) & ~(FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE))
    try:
        _syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _filesystem_rights(abi: int) -> int:
    """Every right that this version knows: thirteen from the start; then refer, truncate, device ioctl."""
    rights = (1 << 13) - 1
    for since, right in ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15)):
        rights |= right if abi >= since else 0
    return rights


def _ruleset(abi: int, filesystem: int) -> int:
    if abi < 1:
        raise OSError(errno.ENOSYS, "Landlock is not in this kernel, or not switched on")
    attributes = struct.pack("QQQ", filesystem, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    return _syscall(_LANDLOCK_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))


def _add_path(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # less to read is no weaker lock
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= FS_READ_FILE | FS_WRITE_FILE
        rule = struct.pack("=Qi", access, descriptor)
        _syscall(_LANDLOCK_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.c_char_p(rule), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


# ---- seccomp


def session_program(machine: str) -> bytes:
    """Allows what a tool needs: memory, files that Landlock lets it open, clocks, its own descriptors."""
    return _program(machine, (name for name in NUMBERS[machine][1] if name not in ZYGOTE_ONLY), MASKED)


def zygote_program(machine: str) -> bytes:
    """Allows the same and what forking sessions needs; each fork waits for the warden's word."""
    return _program(machine, NUMBERS[machine][1], ZYGOTE_MASKED)


def _program(machine: str, names: Iterable[str], masked: Mapping[str, tuple[int, tuple[int, ...]]]) -> bytes:
    architecture, numbers = NUMBERS[machine]
    code: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
    ]

    def when_argument(number: int, index: int, values: tuple[int, ...], verdict: int) -> None:
        # The low half is the whole argument: each of these calls takes 32 bits of it.
        body = [(_LOAD, 0, 0, 16 + 8 * index)]
        for value in values:
            body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, verdict)]
        body.append((_RETURN, 0, 0, _ERRNO | errno.EPERM))
        code.append((_EQUAL, 0, len(body), number))
        code.extend(body)

    for name in names:
        if name not in numbers:
            continue  # not on this machine's table: never allowed
        if name in masked:
            when_argument(numbers[name], *masked[name], _ALLOW)
        elif name == "clone":
            when_argument(numbers[name], 0, FORK_FLAGS, _NOTIFY)
        elif name != "clone3":
            code += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _ALLOW)]
    # glibc tries clone3 first and takes ENOSYS as "use clone"; its flags lie in memory, where a filter cannot see them.
    code += [(_EQUAL, 0, 1, numbers["clone3"]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code.append((_RETURN, 0, 0, _ERRNO | errno.EPERM))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Seccomp:
    """A filter in memory, ready to be put in force."""

    def __init__(self, program: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(program, len(program))
        self._program = _Program(len(program) // 8, ctypes.addressof(self._buffer))
        self._number = _SECCOMP[platform.machine()]

    def apply(self, *, listener: bool = False) -> int:
        """Put it in force for ever; gives the listener's descriptor when asked for one, else 0."""
        flags = _FLAG_NEW_LISTENER if listener else 0
        return _syscall(
            self._number, ctypes.c_uint(_SECCOMP_SET_FILTER), ctypes.c_uint(flags), ctypes.byref(self._program)
        )
