"""Work in threads with results in order."""

import threading

from cnnlab.core.threads import map_ahead


def test_results_come_in_the_order_of_the_items_whichever_is_done_first() -> None:
    second_is_done = threading.Event()

    def number(item: int) -> int:
        if item == 1:
            assert second_is_done.wait(10)
        elif item == 2:
            second_is_done.set()
        return 10 * item

    assert list(map_ahead(number, [1, 2, 3], workers=2)) == [10, 20, 30]


def test_no_more_is_begun_than_a_few_items_ahead_of_the_one_taken() -> None:
    begun: list[int] = []
    results = map_ahead(begun.append, range(100), workers=2)
    next(results)
    results.close()
    assert len(begun) <= 5


def test_threads_end_when_nobody_takes_any_more() -> None:
    before = set(threading.enumerate())
    results = map_ahead(abs, range(100), workers=3)
    next(results)
    assert set(threading.enumerate()) > before
    results.close()
    assert set(threading.enumerate()) == before
