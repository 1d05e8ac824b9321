"""From lines as they are stored to events: records that share a line, headers that hold on."""

from collections.abc import Sequence
from dataclasses import replace

from streams.addresses import NO_PROXIES, Proxies
from streams.chunk import Chunk
from streams.parsed import Format, Parsed


def unfolded(chunk: Chunk, log_format: Format) -> Chunk:
    """Return the chunk with one record a line; records of one line stand at the same place."""
    if log_format.unfold is None:
        return chunk
    records = [log_format.unfold(line) for line in chunk.lines]
    if all(len(several) == 1 for several in records):
        return replace(chunk, lines=[several[0] for several in records])
    at = [number for number, several in enumerate(records) for _ in several]
    return replace(
        chunk,
        lines=[record for several in records for record in several],
        offsets=[chunk.offsets[number] for number in at],
        partitions=[chunk.partitions[number] for number in at] if chunk.partitions else (),
        stamps=[chunk.stamps[number] for number in at] if chunk.stamps else (),
    )


def header_at(header: bytes, lines: Sequence[bytes], line: int, log_format: Format) -> bytes:
    """Return the header that holds for a line: the last one before it, else that of before."""
    if not log_format.header:
        return b""
    before = (lines[at] for at in range(line - 1, -1, -1))
    return next((one for one in before if one.startswith(log_format.header)), header)


def parsed_under(
    header: bytes, lines: Sequence[bytes], log_format: Format, proxies: Proxies = NO_PROXIES
) -> tuple[Parsed, bytes]:
    """Parse lines behind a header that came before; return also the header that holds behind them.

    Args:
        header: of earlier lines of the source; empty where there was none.
        lines: cleaned of secrets.
        log_format: of the lines.
        proxies: whose word on the client's address is believed.
    """
    if not log_format.header:
        return log_format.parse(lines, proxies), b""
    newest = next((one for one in reversed(lines) if one.startswith(log_format.header)), header)
    if not header:
        return log_format.parse(lines, proxies), newest
    found = log_format.parse([header, *lines], proxies)
    moved = replace(
        found,
        line=[number - 1 for number in found.line],
        rejected=[(number - 1, reason) for number, reason in found.rejected],
    )
    return moved, newest
