"""System call numbers, and which calls each kind of process may make.

A call that is in no list fails with EPERM: no socket, exec, thread, kill, ptrace, mount, memfd, io_uring, bpf, keyring.
"""

# fmt: off
X86_64 = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
    "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
    "rt_sigreturn": 15, "ioctl": 16, "pread64": 17, "readv": 19, "writev": 20, "access": 21, "select": 23,
    "sched_yield": 24, "mremap": 25, "madvise": 28, "dup": 32, "dup2": 33, "nanosleep": 35, "getpid": 39,
    "sendmsg": 46, "recvmsg": 47,
    "clone": 56, "exit": 60, "wait4": 61, "uname": 63, "fcntl": 72, "getcwd": 79, "readlink": 89,
    "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104,
    "geteuid": 107, "getegid": 108, "getppid": 110, "setsid": 112, "sigaltstack": 131, "prctl": 157, "gettid": 186,
    "time": 201, "futex": 202, "sched_getaffinity": 204, "getdents64": 217, "restart_syscall": 219,
    "fadvise64": 221, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231,
    "openat": 257, "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "pselect6": 270, "ppoll": 271,
    "set_robust_list": 273, "prlimit64": 302, "seccomp": 317, "getrandom": 318, "membarrier": 324, "statx": 332,
    "dup3": 292, "rseq": 334, "clone3": 435, "close_range": 436, "faccessat2": 439, "landlock_create_ruleset": 444,
    "landlock_restrict_self": 446,
}
AARCH64 = {
    "read": 63, "write": 64, "close": 57, "fstat": 80, "lseek": 62, "mmap": 222, "mprotect": 226, "munmap": 215,
    "brk": 214, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "ioctl": 29, "pread64": 67,
    "readv": 65, "writev": 66, "sched_yield": 124, "mremap": 216, "madvise": 233, "dup": 23,
    "dup3": 24, "nanosleep": 101,
    "getpid": 172, "sendmsg": 211, "recvmsg": 212, "clone": 220, "exit": 93, "wait4": 260, "uname": 160, "fcntl": 25,
    "getcwd": 17,
    "gettimeofday": 169, "getrlimit": 163, "getrusage": 165, "sysinfo": 179, "times": 153, "getuid": 174,
    "getgid": 176, "geteuid": 175, "getegid": 177, "getppid": 173, "setsid": 157, "sigaltstack": 132, "prctl": 167,
    "gettid": 178, "futex": 98, "sched_getaffinity": 123, "getdents64": 61, "restart_syscall": 128,
    "fadvise64": 223, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "exit_group": 94,
    "openat": 56, "newfstatat": 79, "readlinkat": 78, "faccessat": 48, "pselect6": 72, "ppoll": 73,
    "set_robust_list": 99, "prlimit64": 261, "seccomp": 277, "getrandom": 278, "membarrier": 283, "statx": 291,
    "rseq": 293, "clone3": 435, "close_range": 436, "faccessat2": 439, "landlock_create_ruleset": 444,
    "landlock_restrict_self": 446,
}
# fmt: on

NUMBERS = {"x86_64": (0xC000003E, X86_64), "aarch64": (0xC00000B7, AARCH64)}
"""Machine name → (audit architecture, numbers)."""

TCGETS, FIONCLEX, FIOCLEX = 0x5401, 0x5450, 0x5451
FCNTL_PLAIN = (0, 1, 2, 3, 4, 1030)
"""Duplicate, descriptor flags, status flags, duplicate with close-on-exec: nothing that sends signals anywhere."""
FORK_FLAGS = (0x01200011, 0x11)
"""The flags of a plain fork by glibc and by musl: no thread, no namespace."""
PR_SET_PDEATHSIG = 1

MASKED = {"ioctl": (1, (TCGETS, FIONCLEX, FIOCLEX)), "fcntl": (1, FCNTL_PLAIN), "prlimit64": (0, (0,))}
"""Allowed only when the argument of that index has one of these values."""
ZYGOTE_MASKED = {**MASKED, "seccomp": (1, (0,)), "prctl": (0, (PR_SET_PDEATHSIG,))}

ZYGOTE_ONLY = frozenset(
    {
        "clone",
        "clone3",
        "wait4",
        "recvmsg",
        "seccomp",
        "landlock_create_ruleset",
        "landlock_restrict_self",
        "setsid",
        "close_range",
        "prctl",
        "sendmsg",
    }
)
"""What the zygote needs to fork sessions and a session needs until it has locked itself."""
