"""Attempts to get out, or at a neighbour: bodies of a tool that raise when they are stopped and return when not."""

import platform

MACHINE = platform.machine()

SYSCALLS = {
    # name: (x86_64, aarch64, arguments)
    "socket": (41, 198, (2, 1, 0)),
    "socketpair": (53, 199, (1, 1, 0, 0)),
    "connect": (42, 203, (3, 0, 0)),
    "sendto": (44, 206, (3, 0, 0, 0, 0, 0)),
    "sendmsg": (46, 211, (3, 0, 0)),
    "recvmsg": (47, 212, (3, 0, 0)),
    "execve": (59, 221, (0, 0, 0)),
    "execveat": (322, 281, (0, 0, 0, 0, 0)),
    "clone_thread": (56, 220, (0x10F00, 0, 0, 0, 0)),
    "clone_fork": (56, 220, (17, 0, 0, 0, 0)),
    "clone_newuser": (56, 220, (0x10000011, 0, 0, 0, 0)),
    "kill": (62, 129, (-1, 0)),
    "tgkill": (234, 131, (1, 1, 0)),
    "rt_sigqueueinfo": (129, 138, (1, 0, 0)),
    "ptrace": (101, 117, (0, 0, 0, 0)),
    "process_vm_readv": (310, 270, (1, 0, 0, 0, 0, 0)),
    "pidfd_open": (434, 434, (1, 0)),
    "pidfd_getfd": (438, 438, (0, 0, 0)),
    "prctl": (157, 167, (4, 1, 0, 0, 0)),
    "seccomp": (317, 277, (0, 0, 0)),
    "unshare": (272, 97, (0x10000000,)),
    "setns": (308, 268, (3, 0)),
    "mount": (165, 40, (0, 0, 0, 0, 0)),
    "chroot": (161, 51, (0,)),
    "setuid": (105, 146, (0,)),
    "add_key": (248, 217, (0, 0, 0, 0, 0)),
    "bpf": (321, 280, (0, 0, 0)),
    "perf_event_open": (298, 241, (0, 0, -1, -1, 0)),
    "io_uring_setup": (425, 425, (4, 0)),
    "userfaultfd": (323, 282, (0,)),
    "memfd_create": (319, 279, (0, 0)),
    "setitimer": (38, 103, (0, 0, 0)),
    "timer_create": (222, 107, (0, 0, 0)),
    "shmget": (29, 194, (0, 4096, 0o1600)),
    "mq_open": (240, 180, (0, 0, 0, 0)),
    "clock_settime": (227, 112, (0, 0)),
    "fchmod": (91, 52, (3, 0)),
    "ftruncate": (77, 46, (3, 0)),
    "flock": (73, 32, (3, 2)),
    "prlimit_of_another": (302, 261, (1, 0, 0, 0)),
    "fcntl_setown": (72, 25, (3, 8, 1)),
    "ioctl_fioasync": (16, 29, (3, 0x5452, 0)),
}

CALLS = {
    name: f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
result = libc.syscall(*map(ctypes.c_long, {(x86 if MACHINE == "x86_64" else arm, *arguments)!r}))
if result >= 0 or ctypes.get_errno() != 1:
    return "OPEN errno %d" % ctypes.get_errno()
raise PermissionError("stopped")
"""
    for name, (x86, arm, arguments) in SYSCALLS.items()
}

FILES = {
    "shadow": "return open('/etc/shadow').read()",
    "passwd": "return open('/etc/passwd').read()",
    "planted_secret": "return open(x['secret']).read()",
    "list_root": "import os; return os.listdir('/')",
    "list_home": "import os; return os.listdir('/root')",
    "own_environ": "return open('/proc/self/environ').read()",
    "server_environ": "return open('/proc/%d/environ' % x['server']).read()",
    "zygote_memory": "import os; return open('/proc/%d/mem' % os.getppid(), 'rb')",
    "own_memory": "return open('/proc/self/mem', 'r+b')",
    "write_tmp": "return open('/tmp/astra-probe', 'w')",
    "write_shm": "return open('/dev/shm/astra-probe', 'w')",
    "write_root": "return open('/astra-probe', 'w')",
    "write_here": "return open('astra-probe', 'w')",
    "write_runner": "return open(x['runner'], 'a')",
    "write_library": "import os; return open(os.__file__, 'a')",
    "temporary_file": "import tempfile; return tempfile.mkstemp()",
    "make_folder": "import os; return os.mkdir('/tmp/astra-probe')",
    "link_out": "import os; return os.symlink('/etc/passwd', '/tmp/astra-probe')",
    "device_memory": "return open('/dev/mem', 'rb')",
    "device_kvm": "return open('/dev/kvm', 'rb')",
    "terminal": "return open('/dev/tty', 'r+b')",
    "core_pattern": "return open('/proc/sys/kernel/core_pattern', 'w')",
    "cgroup": "return open('/sys/fs/cgroup/cgroup.procs', 'w')",
}

NETWORK = {
    "loopback": "import socket; return str(socket.create_connection(('127.0.0.1', x['port']), 2))",
    "abstract_socket": "import socket; s = socket.socket(socket.AF_UNIX); return s.connect('\\0astra-canary')",
    "docker": "import socket; s = socket.socket(socket.AF_UNIX); return s.connect('/var/run/docker.sock')",
    "metadata": "import socket; return socket.socket(2, socket.SOCK_DGRAM).connect(('169.254.169.254', 80))",
    "listen": "import socket; return str(socket.create_server(('127.0.0.1', 0)))",
    "resolve": "import socket; return socket.gethostbyname('localhost.localdomain')",
    **{
        f"family_{family}": f"import socket; return str(socket.socket({family}, 3 if {family} in (16, 17) else 1))"
        for family in (1, 2, 10, 16, 17, 38, 40)
    },
}

PROCESSES = {
    "fork": "import os; return os.fork()",
    "shell": "import subprocess; return subprocess.run(['/bin/sh', '-c', 'echo out'])",
    "spawn": "import os; return os.posix_spawn('/bin/true', ['true'], {})",
    "replace": "import os; os.execv('/bin/sh', ['sh'])",
    "thread": "import threading; threading.Thread(target=print).start(); return 1",
    "kill_zygote": "import os; return os.kill(os.getppid(), 9)",
    "kill_all": "import os; return os.kill(-1, 9)",
    "kill_group": "import os; return os.killpg(0, 9)",
    "raise_limits": "import resource; return resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))",
    "drop_memory_limit": "import resource; return resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "all_descriptors": "f = []\nwhile True:\n    f.append(open('/dev/null'))\n    assert len(f) < 64 or None, 'OPEN'",
    "all_memory": "m = []\nwhile True: m.append(bytearray(1 << 24))",
    "write_file_size": "import os; os.write(os.open('/dev/shm/x', os.O_CREAT | os.O_WRONLY), b'x' * (1 << 26))",
}

PROBES = {**FILES, **NETWORK, **PROCESSES, **{f"call_{name}": body for name, body in CALLS.items()}}

STOPPED = (
    "PermissionError",
    "FileNotFoundError",
    "OSError",
    "MemoryError",
    "ValueError",
    "RuntimeError",
    "BlockingIOError",
    "gaierror",
)
"""How a stopped probe ends."""

HARMLESS = (
    "passwd",
    "planted_secret",
    "list_root",
    "own_environ",
    "server_environ",
    "write_tmp",
    "loopback",
    "listen",
    "fork",
    "shell",
    "thread",
    "call_socket",
    "call_memfd_create",
    "call_prctl",
    "call_setitimer",
)
"""Those that may run outside a sandbox too, and succeed there: that shows that they can."""
