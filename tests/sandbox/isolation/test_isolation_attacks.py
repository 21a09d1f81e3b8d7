"""What hostile code tries, each attack in a sandbox of its own."""

import os
import platform
import secrets
import socket
import tempfile
import textwrap
from pathlib import Path

import pytest
from isolation_harness import Attack, Spawn

pytestmark = pytest.mark.sandbox

CALLS = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
ARM = os.uname().machine == "aarch64"

def refusal(number_or_name, *arguments):
    ctypes.set_errno(0)
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if isinstance(number_or_name, str):
        answer = getattr(libc, number_or_name)(*wide)
    else:
        answer = libc.syscall(ctypes.c_long(number_or_name), *wide)
    if answer != -1:
        return "ALLOWED"
    return errno.errorcode[ctypes.get_errno()]
"""


async def test_nothing_of_the_hosts_secrets_can_be_read(attack: Attack) -> None:
    home = Path.home()
    places = ["/etc/shadow", "/etc/passwd", "/root", "/home", "/opt", "/srv", "/run"]
    places += [
        "/var",
        "/var/cache",
        "/sys",
        "/boot",
        "/mnt",
        os.fspath(home),
        os.fspath(home / ".ssh"),
    ]
    places += [os.getcwd(), __file__, "/proc/1/root/etc/shadow", "/dev/mem", "/dev/kmsg"]  # noqa: PTH109
    ended = await attack(
        f"""
import os
ALLOWED = [("/home", ["app"]), ("/var", ["cache"]), ("/var/cache", ["fontconfig"])]
for place in {places!r}:
    try:
        found = os.listdir(place) if os.path.isdir(place) else open(place, "rb").read(16)
    except OSError:
        continue
    if (place, found) not in ALLOWED:
        print(place, found)
"""
    )
    assert (ended.code, ended.output) == (0, "")


async def test_etc_holds_nothing_but_what_programs_need(attack: Attack) -> None:
    ended = await attack("import os; print(*sorted(os.listdir('/etc')))")
    needed = {"ld.so.cache", "ssl", "pki", "ca-certificates", "alternatives", "nsswitch.conf"}
    assert set(ended.output.split()) <= needed | {"localtime", "fonts", "hosts"}


async def test_our_environment_can_not_be_read_through_proc(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGE_TEST_SECRET", "hunter2")
    ended = await attack(
        """
import glob
for place in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        print(place, open(place, "rb").read())
    except OSError as error:
        print(place, error)
"""
    )
    assert "/proc/1/environ b''" in ended.output
    assert "hunter2" not in ended.output
    assert "FORGE" not in ended.output


async def test_only_its_own_processes_are_seen(attack: Attack) -> None:
    ended = await attack("import os; print(*[n for n in os.listdir('/proc') if n.isdigit()])")
    assert ended.output.split() == ["1", "2"]


async def test_no_descriptor_of_ours_is_inherited(attack: Attack) -> None:
    with tempfile.TemporaryFile() as secret:
        os.set_inheritable(secret.fileno(), True)
        ended = await attack(
            """
import os
for name in os.listdir("/proc/self/fd"):
    try:
        print(name, os.readlink("/proc/self/fd/" + name))
    except FileNotFoundError:
        pass  # The one that listed them.
"""
        )
    found = dict(line.split(" ", 1) for line in ended.output.splitlines())
    assert set(found) == {"0", "1", "2"}
    assert found["0"] == "/dev/null"
    assert found["1"] == found["2"]
    assert found["1"].startswith("pipe:")


async def test_nothing_outside_app_and_the_scratch_folders_can_be_written(attack: Attack) -> None:
    ended = await attack(
        """
import os
places = ["/", "/etc", "/usr", "/usr/bin", "/usr/local", "/dev", "/proc", "/proc/sys", "/home",
          "/proc/sys/kernel", "/etc/ssl", "/lib", "/bin"]
for place in places:
    try:
        open(place + "/forge-escape", "w").close()
        print("wrote", place)
    except OSError:
        pass
for place in ["/app", "/tmp", "/home/app", "/dev/shm"]:
    open(place + "/fine", "w").close()
for setting in ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
                "/proc/sys/vm/overcommit_memory", "/proc/sys/user/max_user_namespaces",
                "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger",
                "/etc/ld.so.cache", "/usr/bin/env"]:
    try:
        os.close(os.open(setting, os.O_WRONLY))
        print("opened", setting)
    except OSError:
        pass
"""
    )
    assert (ended.code, ended.output) == (0, "")


async def test_uid_maps_are_set_for_good(attack: Attack) -> None:
    ended = await attack(
        """
import os
for pid in ("self", "1"):
    try:
        os.write(os.open(f"/proc/{pid}/uid_map", os.O_WRONLY), b"0 0 1")
        print("mapped")
    except OSError:
        pass
print(open("/proc/self/uid_map").read().split()[2])
"""
    )
    assert ended.output == "1\n"


REFUSED = {
    "mount": ("EPERM", '("mount", None, b"/tmp", b"tmpfs", 0, None)'),
    "umount2": ("EPERM", '("umount2", b"/usr", 2)'),
    "chroot": ("EPERM", '("chroot", b"/app")'),
    "unshare a user namespace": ("EPERM", '("unshare", 0x10000000)'),
    "unshare a mount namespace": ("EPERM", '("unshare", 0x00020000)'),
    "setns": ("EPERM", '("setns", 0, 0)'),
    "ptrace": ("EPERM", '("ptrace", 0, 0, None, None)'),
    "process_vm_readv": ("EPERM", '("process_vm_readv", 1, None, 0, None, 0, 0)'),
    "memfd_create": ("EPERM", '("memfd_create", b"x", 0)'),
    "shmget": ("EPERM", '("shmget", 0, 4096, 0o1600)'),
    "semget": ("EPERM", '("semget", 0, 1, 0o1600)'),
    "msgget": ("EPERM", '("msgget", 0, 0o1600)'),
    "keyctl": ("EPERM", "(219 if ARM else 250, 0, -3, 1)"),
    "add_key": ("EPERM", '(217 if ARM else 248, b"user", b"x", b"y", 1, -3)'),
    "bpf": ("EPERM", "(280 if ARM else 321, 0, None, 0)"),
    "perf_event_open": ("EPERM", "(241 if ARM else 298, None, 0, -1, -1, 0)"),
    "userfaultfd": ("EPERM", "(282 if ARM else 323, 1)"),
    "open_by_handle_at": ("EPERM", '("open_by_handle_at", 0, None, 0)'),
    "fsopen": ("EPERM", '(430, b"tmpfs", 0)'),
    "open_tree": ("EPERM", '(428, -100, b"/usr", 1)'),
    "pidfd_getfd": ("EPERM", "(438, 0, 0, 0)"),
    "clone a user namespace": ("EPERM", "(220 if ARM else 56, 0x10000000 | 17, 0, 0, 0, 0)"),
    "clone3": ("ENOSYS", "(435, None, 0)"),
    "io_uring_setup": ("ENOSYS", "(425, 1, None)"),
    "AF_PACKET": ("EAFNOSUPPORT", '("socket", 17, 3, 0)'),
    "AF_ALG": ("EAFNOSUPPORT", '("socket", 38, 5, 0)'),
    "AF_VSOCK": ("EAFNOSUPPORT", '("socket", 40, 1, 0)'),
    "AF_BLUETOOTH": ("EAFNOSUPPORT", '("socket", 31, 1, 0)'),
    "AF_KEY": ("EAFNOSUPPORT", '("socket", 15, 3, 2)'),
    "a family with high bits set": ("EAFNOSUPPORT", "(198 if ARM else 41, 1 << 32 | 38, 5, 0)"),
    "NETLINK_NETFILTER": ("EAFNOSUPPORT", '("socket", 16, 3, 12)'),
    "NETLINK_KOBJECT_UEVENT": ("EAFNOSUPPORT", '("socket", 16, 3, 15)'),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_dangerous_system_calls_are_refused(attack: Attack, name: str) -> None:
    error, arguments = REFUSED[name]
    ended = await attack(f"{CALLS}\nprint(refusal{arguments})")
    assert ended.output.strip() == error


@pytest.mark.parametrize(("family", "protocol"), [(1, 0), (2, 0), (10, 0), (16, 0)])
async def test_ordinary_sockets_are_allowed(attack: Attack, family: int, protocol: int) -> None:
    kind = 3 if family == 16 else 1
    ended = await attack(f'{CALLS}\nprint(refusal("socket", {family}, {kind}, {protocol}))')
    assert ended.output.strip() == "ALLOWED"


@pytest.mark.parametrize("request_", ["0x5412", "0x541C", "0x5412 | 1 << 32", "0x541C | 7 << 40"])
async def test_typing_into_a_terminal_is_refused(attack: Attack, request_: str) -> None:
    ended = await attack(
        f"""{CALLS}
import fcntl, termios
if os.fork() == 0:
    os.setsid()
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    typed = ctypes.create_string_buffer(b"x")
    number = 29 if ARM else 16
    print(refusal(number, slave, {request_}, ctypes.byref(typed)), flush=True)
    os._exit(0)
os.wait()
"""
    )
    assert ended.output.strip() == "EPERM"


X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines lack these calls")


@X86
@pytest.mark.parametrize("call", ["int 0x80", "x32"], ids=["32-bit calls", "x32 calls"])
async def test_calls_of_other_architectures_end_the_process(attack: Attack, call: str) -> None:
    if call == "x32":
        body = "libc.syscall(ctypes.c_long(0x40000000 | 39))"
    else:
        # mov eax, 20 (getpid); int 0x80; ret
        body = (
            "import mmap; page = mmap.mmap(-1, 4096, prot=7); "
            "page.write(bytes.fromhex('b814000000cd80c3')); "
            "ctypes.CFUNCTYPE(ctypes.c_int)("
            "ctypes.addressof(ctypes.c_char.from_buffer(page)))()"
        )
    ended = await attack(f"{CALLS}\n{body}\nprint('ran')")
    assert ended.code == 128 + 31
    assert "ran" not in ended.output


async def test_setuid_programs_give_nothing(attack: Attack) -> None:
    ended = await attack(
        """
import glob, os, subprocess
status = open("/proc/self/status").read()
print([line.split()[1] for line in status.splitlines()
       if line.startswith(("CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"))])
for program in ("su", "mount", "passwd", "newgrp"):
    for place in glob.glob("/usr/bin/" + program):
        result = subprocess.run([place, "-c", "id"], capture_output=True, stdin=subprocess.DEVNULL)
        if b"uid=0" in result.stdout:
            print("root through", place)
for identity in (0, 1, 65534):
    try:
        os.setuid(identity)
        print("became", identity)
    except OSError:
        pass
"""
    )
    nothing = "0" * 16
    assert ended.output == f"{[nothing, nothing, nothing, nothing, '1']}\n"


async def test_services_of_the_host_are_out_of_reach(attack: Attack) -> None:
    name = f"forge-test-{secrets.token_hex(4)}"
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(f"\0{name}")
    unix.listen()
    with socket.create_server(("0.0.0.0", 0)) as host, unix:
        port = host.getsockname()[1]
        own = _own_address()
        ended = await attack(
            f"""
import socket
for address in [("127.0.0.1", {port}), ({own!r}, {port}), ("169.254.169.254", 80),
                ("10.0.0.1", 80), ("192.168.0.1", 80), ("1.1.1.1", 53)]:
    try:
        socket.create_connection(address, timeout=2).close()
        print("reached", address)
    except OSError:
        pass
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            datagram.sendto(b"x", address)
            if address[0] != "127.0.0.1":
                print("sent to", address)
    except OSError:
        pass
with socket.socket(socket.AF_UNIX) as local:
    try:
        local.connect("\\0{name}")
        print("reached the abstract socket")
    except OSError:
        pass
try:
    print(socket.getaddrinfo("example.com", 80))
except OSError:
    pass
print(*[name for _, name in socket.if_nameindex()])
"""
        )
    assert ended.output == "lo\n"


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


async def test_two_sandboxes_do_not_see_each_other(spawn: Spawn, attack: Attack) -> None:
    server = textwrap.dedent(
        """
        const server = require("net").createServer();
        server.listen(5173, "127.0.0.1", () => console.log("up"));
        """
    )
    other = await spawn(["node", "-e", server])
    assert await other.output.readline() == b"up\n"
    ended = await attack(
        """
import os, socket
try:
    socket.create_connection(("127.0.0.1", 5173), timeout=2)
    print("reached")
except ConnectionRefusedError:
    pass
print(*[n for n in os.listdir("/proc") if n.isdigit()])
"""
    )
    assert ended.output == "1 2\n"


async def test_the_broker_can_not_be_reached_from_inside(attack: Attack) -> None:
    """It lives in the sandbox's user namespace, but in the host's process namespace."""
    ended = await attack(
        """
import os, signal
for pid in range(3, 70000):
    try:
        os.kill(pid, 0)
        print("sees", pid)
    except OSError:
        pass
"""
    )
    assert ended.output == ""
