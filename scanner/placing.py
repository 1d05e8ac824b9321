"""Where a match stands in its text: bytes, line and column."""

import os

from msgspec.structs import replace

from scanner.batch import Batch
from scanner.confirm import Confirmer
from scanner.judging import Confirmed
from scanner.match import Match
from scanner.region import Region

Span = tuple[int, int]
"""Where something begins and ends in a buffer."""


def match_of(batch: Batch, text: int, confirmer: Confirmer, found: Confirmed, span: Span) -> Match:
    """Return what was confirmed as a match at its place."""
    return Match(
        confirmer.rule,
        bytes(batch.data[slice(*span)]),
        *_place(batch, text, span),
        confidence=found.confidence,
        checksum=found.checksum,
        reasons=found.reasons,
        label=found.label,
        candidate=found.candidate,
    )


def placed(batch: Batch, text: int, match: Match, span: Span) -> Match:
    """Move a match to another place of the text."""
    item, start, end, line, column, end_line = _place(batch, text, span)
    return replace(
        match, item=item, start=start, end=end, line=line, column=column, end_line=end_line
    )


def moved(batch: Batch, text: int, match: Match, region: Region, *, wide: bool) -> Match:
    """Give a match in decoded text the place of the encoded run, or its own in wide characters."""
    outer = placed(batch, text, match, (region.start, region.end))
    if not wide:
        return outer
    line = outer.line + match.line - 1
    return replace(
        outer, line=line, column=match.column, end_line=line + match.end_line - match.line
    )


def _place(batch: Batch, text: int, span: Span) -> tuple[str, int, int, int, int, int]:
    """Return item, start, end, line, column and last line of a span."""
    start, end = span
    low, data, window = batch.starts[text], batch.data, batch.window
    offset = window.offset if window else 0
    line = (window.line if window else 0) + batch.line(low, start) + 1
    column = start - max(data.rfind(b"\n", low, start) + 1, low) + 1
    return (
        os.fsdecode(batch.names[text]),
        offset + start - low,
        offset + end - low,
        line,
        column,
        line + data.count(b"\n", start, end),
    )
