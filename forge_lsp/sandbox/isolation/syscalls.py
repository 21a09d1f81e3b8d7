"""The system calls that a sandbox may not make, as a seccomp program."""

import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from forge_lsp.errors import IsolationUnavailable

if TYPE_CHECKING:
    import pyseccomp  # pyright: ignore[reportMissingTypeStubs]

_EPERM = 1
_ENOSYS = 38
_EAFNOSUPPORT = 97
_LOW_32_BITS = 0xFFFFFFFF

Call = str | int
"""A system call by its name; from 424 on by its number, which all architectures share then, so
that an older libseccomp needn't know it."""

REFUSED: Sequence[Call] = (
    # Mounts and other roots.
    *("mount", "umount2", "pivot_root", "chroot", "quotactl"),
    *(428, 429, 430, 431, 432, 433, 442, 443, 467),  # open_tree to fspick, mount_setattr, ...
    *("name_to_handle_at", "open_by_handle_at", "fanotify_init"),
    # Other processes' insides; 438 is pidfd_getfd.
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", 438),
    # Parts of the kernel that have let unprivileged code out before.
    *("bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl"),
    *("unshare", "setns", "vmsplice"),
    # Memory that belongs to no process, which the memory watch wouldn't see; 447 is memfd_secret.
    *("memfd_create", 447, "mq_open"),
    *("shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semtimedop", "semctl"),
    *("msgget", "msgsnd", "msgrcv", "msgctl"),
    # The machine.
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"),
    *("reboot", "swapon", "swapoff", "acct", "syslog", "sethostname", "setdomainname"),
    *("settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "vhangup"),
)

ABSENT: Sequence[Call] = (
    # clone3, whose flags stand in memory, where no filter can look: callers fall back to clone.
    435,
    # io_uring_setup, _enter and _register: rings make calls that no filter sees.
    *(425, 426, 427),
)

_NAMESPACE_FLAGS: Sequence[int] = (
    *(0x00000080, 0x00020000, 0x02000000, 0x04000000),  # time, mount, cgroup, uts
    *(0x08000000, 0x10000000, 0x20000000, 0x40000000),  # ipc, user, pid, net
)

_TERMINAL_INJECTION: Sequence[int] = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX put characters into a terminal as though its user had typed them."""

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16


def compile_filter() -> bytes:
    """The program for this machine, as an array of `struct sock_filter`.

    Takes about a tenth of a second, and looks for libseccomp through other programs: not for the
    event loop's thread. Raises `IsolationUnavailable` where libseccomp is missing.
    """
    try:
        import pyseccomp  # pyright: ignore[reportMissingTypeStubs]
    except (ImportError, RuntimeError, OSError) as error:
        raise IsolationUnavailable(
            "Sandboxes need libseccomp, which isn't on this machine.",
            remedy="Install it (Debian, Ubuntu: apt install libseccomp2; "
            "Fedora: dnf install libseccomp).",
        ) from error
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    # 32-bit calls and x32 have numbers of their own, which these rules don't cover.
    rules.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    for call in REFUSED:
        rules.add_rule(pyseccomp.ERRNO(_EPERM), call)
    for call in ABSENT:
        rules.add_rule(pyseccomp.ERRNO(_ENOSYS), call)
    _refuse_arguments(rules)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _refuse_arguments(rules: "pyseccomp.SyscallFilter") -> None:
    from pyseccomp import (  # pyright: ignore[reportMissingTypeStubs]
        EQ,
        ERRNO,
        GT,
        MASKED_EQ,
        NE,
        Arg,
    )

    for flag in _NAMESPACE_FLAGS:
        rules.add_rule(ERRNO(_EPERM), "clone", Arg(0, MASKED_EQ, flag, flag))
    for request in _TERMINAL_INJECTION:
        # The kernel looks at the low half only, and so must the rule (CVE-2019-10063).
        rules.add_rule(ERRNO(_EPERM), "ioctl", Arg(1, MASKED_EQ, _LOW_32_BITS, request))
    allowed = (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK)
    for family in range(_AF_NETLINK):
        if family not in allowed:
            rules.add_rule(ERRNO(_EAFNOSUPPORT), "socket", Arg(0, EQ, family))
    rules.add_rule(ERRNO(_EAFNOSUPPORT), "socket", Arg(0, GT, _AF_NETLINK))
    # Of netlink only NETLINK_ROUTE, protocol 0, which Node lists its network interfaces with.
    rules.add_rule(ERRNO(_EAFNOSUPPORT), "socket", Arg(0, EQ, _AF_NETLINK), Arg(2, NE, 0))
