"""What a process and everything below it has used: CPU time and memory."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICK_S = 0.01
"""/proc counts in hundredths of a second on every Linux."""


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process tree."""

    pss_bytes: int
    """Each page once, shared ones in parts: the parts of all processes add up to what is really used."""
    processes: int
    guessed: int
    """Processes whose PSS the kernel would not tell; they count with their whole RSS."""


def tree(pid: int) -> list[int]:
    """The process and all its descendants that live now; empty when it is gone."""
    try:
        top = psutil.Process(pid)
        return [pid, *(child.pid for child in top.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """CPU time that the process, its descendants, and those of them that ended and were waited for have used.

    The difference of two readings is what a tree used in between, whoever came and went: the time of a child that
    ends moves to its parent when the parent collects it. The clocks of the living are read in nanoseconds; a
    thousand sessions read in hundredths of a second would round most of their work away.
    """
    return sum(own_cpu_seconds(each) + _collected(each) for each in tree(pid))


def memory(pid: int) -> Memory:
    """Memory of the process and all its descendants."""
    total = guessed = 0
    pids = tree(pid)
    for each in pids:
        try:
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
            total += 1024 * int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
        except PermissionError:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += psutil.Process(each).memory_info().rss
                guessed += 1
        except (OSError, StopIteration):
            continue  # it ended
    return Memory(total, len(pids), guessed)


def own_cpu_seconds(pid: int) -> float:
    """CPU time of the process alone, all its threads, those that ended too."""
    # The id of another process's CPU clock, as clock_getcpuclockid(3) makes it.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return _fields(pid, 11, 12)  # a zombie that nobody collected yet has no clock, but its line in /proc


def _collected(pid: int) -> float:
    return _fields(pid, 13, 14)


def _fields(pid: int, *numbers: int) -> float:
    """Times from /proc/PID/stat, by their places after the name."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[n]) for n in numbers) * _TICK_S
