import asyncio
import time
from pathlib import Path

import pytest
from isolation_harness import INSIDE_PYTHON, Attack, Spawn, any_alive, children_of, until

from forge_lsp.sandbox.isolation.confinement import Limits

pytestmark = pytest.mark.sandbox

SMALL = Limits(memory_mb=128, disk_mb=32, processes=64)


async def test_a_fork_bomb_stays_small(spawn: Spawn) -> None:
    program = """
import os, time
made = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(600)
        made += 1
except BlockingIOError:
    print(made, flush=True)
time.sleep(600)
"""
    confined = await spawn([INSIDE_PYTHON, "-c", program], limits=Limits(1024, 32, 64))
    made = int(await confined.output.readline())
    assert 32 <= made <= 64
    pids = children_of(confined.pid)
    async with asyncio.timeout(5):
        await confined.kill()
    assert not any_alive(pids)


async def test_threads_count_as_processes(attack: Attack) -> None:
    ended = await attack(
        """
import threading, time
made = 0
try:
    while made < 500:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        made += 1
except RuntimeError:
    pass
print(made, flush=True)
import os; os._exit(0)
""",
        limits=Limits(1024, 32, 64),
    )
    assert int(ended.output) <= 64


async def test_one_sandboxs_processes_are_not_counted_against_another(spawn: Spawn) -> None:
    program = """
import os, sys, time
for _ in range(40):
    if os.fork() == 0:
        time.sleep(float(sys.argv[1]))
        os._exit(0)
print("up", flush=True)
time.sleep(float(sys.argv[1]))
"""
    limits = Limits(1024, 32, 64)
    first = await spawn([INSIDE_PYTHON, "-c", program, "600"], limits=limits)
    assert await first.output.readline() == b"up\n"
    second = await spawn([INSIDE_PYTHON, "-c", program, "1"], limits=limits)
    assert await second.output.read() == b"up\n"


async def test_a_memory_hog_is_ended_and_says_why(attack: Attack) -> None:
    before = time.monotonic()
    ended = await attack(
        "import time\nkept = bytearray(300 << 20)\nprint('held', flush=True)\ntime.sleep(600)",
        limits=SMALL,
    )
    assert ended.because == "It used more than 128 MB of memory."
    assert ended.code == 128 + 9
    assert time.monotonic() - before < 10


async def test_memory_that_many_processes_share_out_is_added_up(attack: Attack) -> None:
    ended = await attack(
        """
import os, time
for _ in range(8):
    if os.fork() == 0:
        kept = bytearray(os.urandom(1 << 20) * 30)
        time.sleep(600)
time.sleep(600)
""",
        limits=SMALL,
    )
    assert ended.because == "It used more than 128 MB of memory."


async def test_memory_that_processes_share_counts_once(spawn: Spawn) -> None:
    program = """
import os, time
kept = bytearray(60 << 20)
for _ in range(6):
    if os.fork() == 0:
        time.sleep(600)
print("up", flush=True)
time.sleep(600)
"""
    confined = await spawn([INSIDE_PYTHON, "-c", program], limits=SMALL)
    assert await confined.output.readline() == b"up\n"
    assert not await until(lambda: not confined.is_running(), 1.5)
    assert confined.ended_because is None


async def test_hiding_from_the_memory_watch_hides_nothing(attack: Attack) -> None:
    ended = await attack(
        """
import ctypes, time
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
kept = bytearray(300 << 20)
time.sleep(600)
""",
        limits=SMALL,
    )
    assert ended.because == "It used more than 128 MB of memory."


async def test_one_process_can_not_take_the_machines_memory_at_once(attack: Attack) -> None:
    ended = await attack(
        """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
print(libc.malloc(ctypes.c_size_t(5 << 30)))
"""
    )
    assert ended.output == "None\n"


async def test_a_disk_hog_is_ended_and_says_why(attack: Attack, directory: Path) -> None:
    ended = await attack(
        """
import time
for number in range(20):
    with open(f"/app/{number}", "wb") as file:
        file.write(bytes(10 << 20))
time.sleep(600)
""",
        limits=SMALL,
    )
    assert ended.because == "Its folder took more than 32 MB."


async def test_a_flood_of_empty_files_is_ended(attack: Attack) -> None:
    ended = await attack(
        """
import os, time
for number in range(20000):
    os.close(os.open(f"/app/{number}", os.O_CREAT | os.O_WRONLY))
time.sleep(600)
""",
        limits=SMALL,
        within_s=60,
    )
    assert ended.because == "Its folder took more than 32 MB."


async def test_deleted_files_that_stay_open_count(attack: Attack) -> None:
    ended = await attack(
        """
import os, time
kept = []
for number in range(10):
    file = open("/app/hidden", "wb")
    os.unlink("/app/hidden")
    file.write(os.urandom(10 << 20))
    file.flush()
    kept.append(file)
time.sleep(600)
""",
        limits=SMALL,
    )
    assert ended.because == "Its folder took more than 32 MB."


async def test_folders_that_are_nested_too_deep_to_look_into_end_it(attack: Attack) -> None:
    ended = await attack(
        """
import os, time
for _ in range(300):
    os.mkdir("d")
    os.chdir("d")
open("/app/go", "w").write("x" * (8 << 20))
time.sleep(600)
""",
        limits=SMALL,
        within_s=60,
    )
    assert ended.because == "The sandbox nests folders more than 100 deep."


async def test_a_file_can_not_grow_past_half_a_gigabyte(attack: Attack) -> None:
    ended = await attack(
        """
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = os.open("/app/big", os.O_CREAT | os.O_WRONLY)
os.ftruncate(file, 512 << 20)
try:
    os.ftruncate(file, (512 << 20) + 1)
    print("grew")
except OSError as error:
    print(error.errno)
"""
    )
    assert ended.output == "27\n"


@pytest.mark.parametrize("place", ["/tmp", "/home/app", "/dev/shm"])
async def test_scratch_folders_are_bounded(attack: Attack, place: str) -> None:
    ended = await attack(
        f"""
written = 0
try:
    with open("{place}/big", "wb") as file:
        for _ in range(400):
            written += file.write(bytes(1 << 20))
except OSError as error:
    print(error.errno, written >> 20)
"""
    )
    number, written = map(int, ended.output.split())
    assert number == 28
    assert written <= 256


async def test_no_core_is_dumped_and_few_files_can_be_open(attack: Attack) -> None:
    ended = await attack(
        """
import resource
print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
try:
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    print("raised")
except ValueError:
    pass
"""
    )
    assert ended.output == "(0, 0) 4096\n"


async def test_a_quiet_sandbox_is_left_alone(spawn: Spawn) -> None:
    confined = await spawn(["node", "-e", "setInterval(() => 0, 1000); console.log('up')"])
    assert await confined.output.readline() == b"up\n"
    assert not await until(lambda: not confined.is_running(), 1)
    assert confined.ended_because is None
