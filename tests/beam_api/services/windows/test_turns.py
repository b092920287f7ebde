"""Whose turn it is: a few at a time, analyses first, others in the order in which they came."""

import threading

import pytest

from beam_api.services.windows.turns import Turns
from tests.processes import wait_until


def waiting(turns):
    return len(turns._first) + len(turns._others)


@pytest.fixture
def begin():
    """Have a thread take a turn and note it; it ends with the next of its kind."""
    threads = []

    def begin(turns, name, taken, *, first=False, until=None):
        def run():
            with turns.take(first=first):
                taken.append(name)
                if until:
                    until.wait(30)

        before = waiting(turns)
        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        assert wait_until(lambda: name in taken or waiting(turns) > before, 10)

    yield begin
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_analyses_go_first_and_others_in_the_order_in_which_they_came(begin):
    turns, taken, end = Turns(1), [], threading.Event()
    begin(turns, "held", taken, until=end)
    for number in range(4):
        begin(turns, f"read {number}", taken)
        begin(turns, f"analysis {number}", taken, first=True)
    assert taken == ["held"]
    end.set()
    assert wait_until(lambda: len(taken) == 9, 10)
    kinds = [name.split()[0] for name in taken[1:]]
    assert kinds == ["analysis"] * 4 + ["read"] * 4
    assert taken[1:5] == sorted(taken[1:5])
    assert taken[5:] == sorted(taken[5:])


def test_no_more_than_its_places_are_taken_and_all_are_given_back(begin):
    turns, taken, end = Turns(3), [], threading.Event()
    for number in range(5):
        begin(turns, number, taken, until=end)
    assert len(taken) == 3
    end.set()
    assert wait_until(lambda: len(taken) == 5, 10)
    assert wait_until(lambda: turns._free == 3, 10)


def test_a_failure_gives_its_place_back():
    turns = Turns(1)
    for _ in range(2):
        with pytest.raises(RuntimeError), turns.take():
            raise RuntimeError
    with turns.take():
        pass
