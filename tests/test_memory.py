import time

from songmood.memory import peak_memory


def test_memory_taken_and_given_back_is_the_peak() -> None:
    with peak_memory(every_seconds=0.02) as peak:
        time.sleep(0.2)
        before = peak()
        taken = b"x" * (300 * 2**20)
        time.sleep(0.5)
        del taken
        time.sleep(0.1)
    assert 290 < peak() - before < 600
