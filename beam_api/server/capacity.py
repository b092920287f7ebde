"""How many connections a web process takes, by the files that it may open."""

from __future__ import annotations

MOST_CONNECTIONS = 1000
RESERVED_FILES = 96
"""For all that is no connection: Redis, uploads, counts, libraries."""

FEWEST_CONNECTIONS = 16


def connections_within(open_files: int) -> int:
    """Connections of a web process, where it may open so many files."""
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, open_files - RESERVED_FILES))
