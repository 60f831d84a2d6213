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
    "pivot_root": (155, 41, (0, 0)),
    "keyctl": (250, 219, (0, -3, 0, 0, 0)),
    "ioctl_tiocsti": (16, 29, (0, 0x5412, 0)),
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
    "list_home": "import os; return os.listdir(x['home'])",
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
    "ssh_key": "return open(x['home'] + '/.ssh/id_ed25519')",
    "all_environs": (
        "import os\nfound = [p for p in os.listdir('/proc') if p.isdigit()]\n"
        "return [p for p in found if 'ASTRA' in open('/proc/%s/environ' % p).read()]"
    ),
    "poison_bytecode": "import json, os; return open(os.path.dirname(json.__file__) + '/__pycache__/x.pyc', 'wb')",
    "hard_link": "import os; return os.link(os.__file__, '/tmp/astra-probe')",
    "unpack_tar": """
import io, tarfile
held = io.BytesIO()
with tarfile.open(fileobj=held, mode="w") as archive:
    for name in ("../../astra-probe", "/astra-probe", "inner"):
        entry = tarfile.TarInfo(name)
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"evil"))
held.seek(0)
return tarfile.open(fileobj=held).extractall("/tmp")
""",
    "zip_bomb": "import zlib; return len(zlib.decompress(zlib.compress(bytes(1 << 26))) * 99)",
    "set_uid_bit": "import os; return os.chmod(os.__file__, 0o4755)",
    "sysrq": "return open('/proc/sysrq-trigger', 'w')",
    "release_agent": "return open('/sys/fs/cgroup/release_agent', 'w')",
    "device_fuse": "return open('/dev/fuse', 'r+b')",
    "cgroup": "return open('/sys/fs/cgroup/cgroup.procs', 'w')",
}

NETWORK = {
    "loopback": "import socket; return str(socket.create_connection(('127.0.0.1', x['port']), 2))",
    "abstract_socket": "import socket; s = socket.socket(socket.AF_UNIX); return s.connect('\\0' + x['abstract'])",
    "docker": "import socket; s = socket.socket(socket.AF_UNIX); return s.connect('/var/run/docker.sock')",
    "metadata": "import socket; return socket.socket(2, socket.SOCK_DGRAM).connect(('169.254.169.254', 80))",
    "containerd": "import socket; s = socket.socket(1); return s.connect('/run/containerd/containerd.sock')",
    "metadata_6": "import socket; return socket.socket(10, socket.SOCK_DGRAM).connect(('fd00:ec2::254', 80))",
    "raw_icmp": "import socket; return str(socket.socket(2, socket.SOCK_RAW, 1))",
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
    "kill_warden": "import os; return os.kill(1, 15)",
    "trace_zygote": """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(0x4206, os.getppid(), 0, 0) == 0:
    return "OPEN"
raise PermissionError("stopped")
""",
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


FORGE = """
import os, struct, sys
def request():
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["request"]
def reply(body, number=None):
    return struct.pack(">IQ", len(body) + 8, request() if number is None else number) + body
def forge(how):
    if how == "everywhere":
        for fd in range(64):
            try: os.write(fd, reply(b"Oforged", 0))
            except OSError: pass
    elif how == "twice":
        os.write(3, reply(b"Oforged") * 2)
    elif how == "ahead":
        os.write(3, reply(b"Ofirst") + reply(b"Ostale"))
    elif how == "huge":
        os.write(3, b"\\xff\\xff\\xff\\xff")
    elif how == "long":
        os.write(3, struct.pack(">I", 64 * 1024 + 5000))
    elif how == "short":
        os.write(3, struct.pack(">I", 3) + b"abc")
    elif how == "empty":
        os.write(3, struct.pack(">I", 0))
    elif how == "status":
        os.write(3, reply(b"Rforged"))
    elif how == "utf8":
        os.write(3, reply(b"O\\xff\\xfe"))
    elif how == "surrogate":
        os.write(3, reply(b"O\\xed\\xa0\\x80"))
    elif how == "another":
        os.write(3, reply(b"Oforged", request() ^ 1))
    elif how == "stall":
        os.write(3, reply(b"O" + b"x" * 200)[:20])
        __import__("time").sleep(999)
    elif how == "half":
        os.write(3, reply(b"O" + b"x" * 200)[:20])
        return "y" * 500
    return "late"
"""
"""A tool that writes replies of its own making on the wire; `how` says which."""

FORGERIES = (
    "everywhere", "another", "twice", "ahead", "huge", "long", "short", "empty", "status", "utf8", "surrogate", "half",
)  # fmt: skip
"""The forgeries that end the session at once."""
