"""Every probe, in the order of the list, and what is known to be open, each with its reason."""

from tests.security.imports import imports
from tests.security.probe import Probe
from tests.security.protocol import protocol
from tests.security.reach import reach
from tests.security.resources import resources

LISTED = range(1, 41)
"""Numbers of the list in docs/security.md."""


def catalogue() -> list[Probe]:
    """The probes on the sandbox; those on a whole server, line 40, are in `service.SERVICE`."""
    return sorted([*reach(), *resources(), *protocol(), *imports()], key=lambda probe: probe.line)


EXPLAINED = {
    "reads_its_arenas_code": (
        "Tools of one arena share a process and can read each other's code and state. Nothing is there that they must "
        "not know: reference answers, golden calls and other arenas never enter a runner."
    ),
    "kernel_version": "uname(2) names the kernel. Only a kernel of its own would hide it: the gvisor tier.",
    "memory_of_the_machine": "sysinfo(2) gives uptime, load and memory of the machine, which belong to no one user.",
    "install_path": (
        "Frames name the file of the runner's code, so where the server is installed. The tiers above landlock show it "
        "under a path of their own."
    ),
    "host_name": "Without namespaces uname(2) also gives the machine's name. The tiers above landlock have their own.",
}
"""Name of a probe → why it is left open where it is. What is open and not here fails `make attack`."""
