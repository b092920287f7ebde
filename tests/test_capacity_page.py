"""docs/capacity.md is multiplication: checked on figures whose products are known."""

import re

import pytest

from benchmarks.capacity_page import Memory, Stream, page

STREAM = Stream(
    per_request=30,
    worker_s=0.035,
    redis_s=0.0007,
    redis_bytes=50_000,
    up_bytes=1_250_000,
    down_bytes=1000,
    requests=1,
    round_trips=2,
    commands=4,
    inside=50,
)
MEMORY = Memory(full_bytes=200_000, stays_bytes=20_000, result_bytes=1000, results_bytes=2_880_000)


@pytest.fixture
def rows():
    """Cells of ten thousand streams, by what they are of."""
    extrapolated = page([STREAM], MEMORY, 30.0, "a machine", []).partition("extrapolated")[2]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in extrapolated.splitlines() if "|" in line]
    return {row[0]: row[-1] for row in cells}


@pytest.mark.parametrize(
    ("what", "of_ten_thousand"),
    [
        ("requests a second", "10,000"),
        ("worker cores", "500"),  # 10 000 x 0.035 / 0.7
        ("machines", "16"),  # 500 / 32
        ("Redis cores", "10"),
        ("Redis processes", "10"),
        ("commands sent to Redis, a second", "40,000"),
        ("memory of Redis at work, GB", "1.3"),  # half a window, what stays, and 7200 bytes of digests
        ("memory of Redis for results of 24 h, GB", "29"),
        ("network, clients to service, Gbit/s", "100"),
    ],
)
def test_ten_thousand_streams_cost_ten_thousand_times_one(rows, what, of_ten_thousand):
    assert rows[what] == of_ten_thousand


def test_a_machine_is_also_full_when_its_network_is():
    wide = Stream(**{name: getattr(STREAM, name) for name in Stream.__slots__} | {"up_bytes": 12_500_000})
    text = page([wide], MEMORY, 30.0, "a machine", [])
    assert re.search(r"\| machines \| 1 \| 1 \| 6 \| 58 \|", text)  # 1000 Gbit/s over 17.5 each
