"""Databases of hyperscan: made, written down and read back."""

from collections.abc import Sequence

import hyperscan


def database_of(patterns: Sequence[str]) -> hyperscan.Database:
    """Compile patterns, numbered in their order.

    Raises:
        hyperscan.HyperscanError: one of them is too large, or not in its syntax.
    """
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[pattern.encode() for pattern in patterns],
        ids=list(range(len(patterns))),
        flags=[hyperscan.HS_FLAG_MULTILINE] * len(patterns),
    )
    return database


def compiles(pattern: str) -> bool:
    """Say whether hyperscan takes a pattern."""
    try:
        database_of([pattern])
    except hyperscan.HyperscanError:
        return False
    return True


def dumped(database: hyperscan.Database) -> memoryview:
    """Write a database down."""
    return memoryview(hyperscan.dumpb(database))


def loaded(kept: memoryview) -> hyperscan.Database:
    """Read back what `dumped` wrote.

    Raises:
        hyperscan.HyperscanError: another machine wrote it, or it is damaged.
    """
    return hyperscan.loadb(bytes(kept), hyperscan.HS_MODE_BLOCK)
