"""Secrets in the names of places: in a path, in an author's name, in what could not be read.

Nobody thinks of them as text that holds something, and every report shows them.
"""

import os
from collections.abc import Callable, Iterable
from functools import lru_cache

from scanner.batch import batch_of
from scanner.classify import WEIGHED
from scanner.engine import Engine
from scanner.findings import redacted
from scanner.match import Match
from scanner.searcher import Searcher


def cleaner(engine: Engine, names: Iterable[str]) -> Callable[[str], str]:
    """Return what takes secrets of a known format out of names.

    Args:
        engine: of the scan.
        names: that will be asked about; mostly there is nothing in any of them.
    """
    searcher = engine.searcher()
    whole = "\n".join(sorted(set(names)))
    if not whole or not _formats(searcher, os.fsencode(whole)):
        return str

    @lru_cache(maxsize=4096)
    def clean(name: str) -> str:
        text = os.fsencode(name)
        for match in sorted(_formats(searcher, text), key=_start, reverse=True):
            text = text[: match.start] + redacted(match).encode() + text[match.end :]
        return os.fsdecode(text)

    return clean


def _start(match: Match) -> int:
    return match.start


def _formats(searcher: Searcher, text: bytes) -> list[Match]:
    """Return what has a format of its own; a path may well hold the word `password`."""
    return [one for one in searcher.search(batch_of(text)) if one.rule.provider not in WEIGHED]
