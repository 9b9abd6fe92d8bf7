import subprocess
import sys

TAKE_AND_GIVE_BACK = """
import time
from songmood.engine.memory import peak_memory

with peak_memory(every_seconds=0.02) as peak:
    before = peak()
    taken = b"x" * (300 * 2**20)
    until = time.monotonic() + 30
    while peak() - before < 290 and time.monotonic() < until:
        time.sleep(0.02)
    del taken
print(before, peak())
"""


def test_memory_taken_and_given_back_is_the_peak() -> None:
    # a process of its own: the JVM below that of the tests takes memory, too
    told = subprocess.run(
        [sys.executable, "-c", TAKE_AND_GIVE_BACK], capture_output=True, encoding="utf-8", check=True
    )
    before, peak = map(int, told.stdout.split())
    assert before > 0
    assert 290 <= peak - before < 600
