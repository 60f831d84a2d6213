"""The seccomp programs, run by an interpreter of their few instructions, for both machines on either."""

import errno
import struct

import pytest
from astra_env_server.sandbox.inside.locks import session_program, zygote_program
from astra_env_server.sandbox.inside.syscalls import NUMBERS

ALLOW, NOTIFY, KILL = 0x7FFF0000, 0x7FC00000, 0x80000000
EPERM, ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS

# What no list holds: (x86_64, aarch64).
FORBIDDEN = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "sendto": (44, 206), "execve": (59, 221),
    "execveat": (322, 281), "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_open": (434, 434), "unshare": (272, 97),
    "setns": (308, 268), "mount": (165, 40), "setuid": (105, 146), "bpf": (321, 280), "io_uring_setup": (425, 425),
    "memfd_create": (319, 279), "keyctl": (250, 219), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "setitimer": (38, 103), "unlinkat": (263, 35), "landlock_add_rule": (445, 445), "pidfd_getfd": (438, 438),
}  # fmt: skip


def verdict(program: bytes, number: int, architecture: int, *arguments: int) -> int:
    """What the kernel would return for this call."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *padded)
    code = [struct.unpack_from("HBBI", program, i) for i in range(0, len(program), 8)]
    at, value = 0, 0
    while True:
        operation, if_true, if_false, operand = code[at]
        if operation == 0x20:
            value = struct.unpack_from("<I", data, operand)[0]
            at += 1
        elif operation == 0x15:
            at += 1 + (if_true if value == operand else if_false)
        elif operation == 0x35:
            at += 1 + (if_true if value >= operand else if_false)
        else:
            assert operation == 0x06
            return operand


@pytest.mark.parametrize("column", [0, 1], ids=["x86_64", "aarch64"])
def test_each_program_allows_what_it_must_and_nothing_more(column: int) -> None:
    machine = ("x86_64", "aarch64")[column]
    architecture, numbers = NUMBERS[machine]
    other = NUMBERS[("aarch64", "x86_64")[column]][0]
    session, zygote = session_program(machine), zygote_program(machine)
    for program in (session, zygote):
        for name in ("read", "write", "mmap", "openat", "exit_group", "clock_nanosleep", "futex"):
            assert verdict(program, numbers[name], architecture) == ALLOW, name
            assert verdict(program, numbers[name], other) == KILL
        for name, pair in FORBIDDEN.items():
            assert verdict(program, pair[column], architecture) == EPERM, name
        assert verdict(program, 0x40000000 + numbers["read"], architecture) == KILL  # x32
        assert verdict(program, numbers["clone3"], architecture) == ENOSYS
        assert verdict(program, numbers["fcntl"], architecture, 3, 8, 1) == EPERM  # F_SETOWN
        assert verdict(program, numbers["fcntl"], architecture, 3, 1030, 1) == ALLOW  # F_DUPFD_CLOEXEC
        assert verdict(program, numbers["ioctl"], architecture, 3, 0x5412) == EPERM  # TIOCSTI
        assert verdict(program, numbers["prlimit64"], architecture, 7) == EPERM
        assert verdict(program, numbers["prlimit64"], architecture, 0) == ALLOW
        allowed = {n for n in range(600) if verdict(program, n, architecture) == ALLOW}
        assert allowed <= set(numbers.values())
    fork, thread, namespace = 0x01200011, 0x003D0F00, 0x01200011 | 0x10000000
    assert verdict(zygote, numbers["clone"], architecture, fork) == NOTIFY
    for flags in (thread, namespace, 0):
        assert verdict(zygote, numbers["clone"], architecture, flags) == EPERM
    assert verdict(session, numbers["clone"], architecture, fork) == EPERM
    assert verdict(zygote, numbers["seccomp"], architecture, 1, 0) == ALLOW
    assert verdict(zygote, numbers["seccomp"], architecture, 1, 8) == EPERM  # a listener of its own
    for name in ("seccomp", "prctl", "wait4", "recvmsg", "sendmsg", "setsid", "landlock_restrict_self"):
        assert verdict(session, numbers[name], architecture) == EPERM, name
