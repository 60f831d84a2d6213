"""Run a command with a real Postgres and a real Redis of its own, on free loopback ports, gone when it ends.

    python scripts/with_services.py -- pytest services

The command finds them in ASTRA_TEST_DATABASE_URL and ASTRA_TEST_REDIS_URL.
"""

import contextlib
import ctypes
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent() -> None:
    """In the child: end when this script ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def wait_for(port: int, process: subprocess.Popen[bytes], what: str, log: Path) -> None:
    """Return when something listens on the port."""
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"{what} did not start:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def running(argv: list[str], port: int, what: str, log: Path, user: str | None = None) -> Iterator[None]:
    """The server, from here to the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, preexec_fn=die_with_parent, user=user)
    try:
        wait_for(port, process, what, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # Postgres: fast shutdown
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def postgres_command(folder: Path, port: int, *, durable: bool) -> tuple[list[str], str | None]:
    """Make the files of a Postgres under ``folder``: the command line that starts it, and as which user."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres")) or [shutil.which("postgres") or ""]
    if not found[-1]:
        raise SystemExit("no Postgres on this machine: `make setup` as root installs it, or apt-get install postgresql")
    bin_dir, data = Path(found[-1]).parent, folder / "pg"
    user = None
    if os.geteuid() == 0:  # Postgres refuses to run as root
        user = "postgres" if any(p.pw_name == "postgres" for p in pwd.getpwall()) else "nobody"
        shutil.chown(folder, user)
    init = [str(bin_dir / "initdb"), "-D", str(data), "-U", "astra", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*init, "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, user=user, cwd="/")
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "on" if durable else "off",
        "max_connections": 200,
    }
    return [found[-1], "-D", str(data), *(arg for k, v in options.items() for arg in ("-c", f"{k}={v}"))], user


def redis_command(folder: Path, port: int) -> list[str]:
    """The command line of a Redis that stores nothing."""
    program = shutil.which("redis-server")
    if not program:
        raise SystemExit("no Redis on this machine: `make setup` as root installs it, or apt-get install redis-server")
    return [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]


@contextlib.contextmanager
def postgres(folder: Path, *, durable: bool = False) -> Iterator[str]:
    """A Postgres for tests and benchmarks; unless ``durable`` it never waits for the disk."""
    port = free_port()
    argv, user = postgres_command(folder, port, durable=durable)
    with running(argv, port, "Postgres", folder / "postgres.log", user):
        yield f"postgresql+asyncpg://astra@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis that stores nothing."""
    port = free_port()
    with running(redis_command(folder, port), port, "Redis", folder / "redis.log"):
        yield f"redis://127.0.0.1:{port}/0"


def main() -> int:
    """Start both, run the command, end both; the command's exit status is ours."""
    command = sys.argv[2:] if sys.argv[1:2] == ["--"] else sys.argv[1:]
    if not command:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory(prefix="astra-services-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with postgres(folder) as database, redis(folder) as broker:
            env = os.environ | {"ASTRA_TEST_DATABASE_URL": database, "ASTRA_TEST_REDIS_URL": broker}
            return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
