"""Groups A, B and D of the list: the network, files, the kernel. Each attempt must be refused by the system."""

from tests.security.bodies import PROBES
from tests.security.probe import Probe, arena, function, probes, stopped

LINES: dict[int, tuple[str, ...]] = {
    1: ("loopback", "call_socket", "call_connect"),
    2: ("metadata", "metadata_6"),
    3: ("resolve",),
    4: ("abstract_socket", "family_1"),
    5: ("docker", "containerd"),
    6: ("family_40",),
    7: ("family_2", "family_10", "family_16", "family_17", "family_38", "raw_icmp"),
    8: ("listen", "call_sendto"),
    9: ("shadow", "passwd", "planted_secret", "list_root", "list_home", "ssh_key"),
    10: ("own_environ", "server_environ", "all_environs"),
    11: ("zygote_memory", "own_memory", "call_pidfd_open", "call_pidfd_getfd"),
    12: ("write_runner", "write_library", "poison_bytecode", "write_root", "write_here"),
    13: ("write_tmp", "write_shm", "temporary_file", "make_folder", "call_shmget", "call_mq_open"),
    14: ("link_out", "hard_link"),
    15: ("unpack_tar", "zip_bomb"),
    16: ("shell", "spawn", "replace", "call_execve", "call_execveat", "call_fchmod", "set_uid_bit"),
    26: ("call_ptrace", "call_process_vm_readv", "trace_zygote"),
    27: ("kill_zygote", "kill_all", "kill_group", "kill_warden", "call_kill", "call_tgkill", "call_rt_sigqueueinfo"),
    28: ("call_mount", "call_unshare", "call_setns", "call_chroot", "call_pivot_root", "call_clone_newuser"),
    29: (
        "call_add_key", "call_keyctl", "call_bpf", "call_perf_event_open", "call_io_uring_setup", "call_userfaultfd",
        "call_memfd_create",
    ),
    30: (
        "call_clock_settime", "sysrq", "core_pattern", "cgroup", "release_agent", "device_memory", "device_kvm",
        "device_fuse", "terminal", "call_ioctl_tiocsti",
    ),
    31: ("raise_limits", "drop_memory_limit", "call_prctl", "call_seccomp", "call_prlimit_of_another", "call_setuid"),
}  # fmt: skip
"""Number in the list → attempts, by their names in `bodies`."""

NOT_LISTED = {20: ("fork", "thread", "call_clone_thread", "call_clone_fork"), 22: ("all_descriptors",),
              19: ("all_memory",), 21: ("write_file_size", "call_ftruncate", "call_flock"),
              18: ("call_setitimer", "call_timer_create"), 32: ("call_socketpair", "call_sendmsg", "call_recvmsg"),
              27: ("call_fcntl_setown", "call_ioctl_fioasync")}  # fmt: skip
"""Refusals by the system that belong to lines of the other groups."""


def reach() -> list[Probe]:
    """The probes of these lines."""
    bundle = arena(*(function(name, body) for name, body in PROBES.items()))
    by_name = {probe.name: probe for probe in probes(0, stopped, PROBES)}
    return [
        Probe(name, line, by_name[name].attack, bundle)
        for lines in (LINES, NOT_LISTED)
        for line, names in lines.items()
        for name in names
    ]
