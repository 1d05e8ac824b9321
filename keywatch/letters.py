"""Dead letters read once more, by the one pipeline that commits events."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from fnmatch import fnmatch

from sqlalchemy import Connection, Engine

from database.transaction import reading, transaction
from keywatch.pipeline import Outcome, Pipeline
from keywatch.sources import Stream
from streams import checkpoint, deadletter
from streams.chunk import Chunk
from streams.deadletter import DeadLetter
from streams.parsed import Format
from streams.unfolding import parsed_under

SOURCE = "deadletters"
_MOST = 1000
_NO_SOURCE = "no configured source has this name any more"
_UNTIMED = "of a topic of repository events: have its producer send it again"

Report = Callable[[Stream, Outcome], None]
PipelineOf = Callable[[str], Pipeline | None]
"""Name of a source → what commits its events; None where another worker does."""


def read_again(
    engine: Engine, pipeline_of: PipelineOf, streams: Sequence[Stream], report: Report
) -> bool:
    """Read letters that somebody asked for, by the formats of today; say whether any was ours.

    One that is an event now is committed and gone; one that still is none is kept as it was.

    Args:
        engine: the database.
        pipeline_of: finds what commits the events of a source.
        streams: the configured sources.
        report: is told what came of it.

    Raises:
        DatabaseError: nothing of a source's letters was committed.
    """
    with reading(engine) as connection:
        letters = deadletter.asked_for(connection, _MOST)
    by_source: dict[str, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        by_source[letter.source].append(letter)
    ours = False
    for source, some in by_source.items():
        stream = next((one for one in streams if _belongs(source, one.source.name)), None)
        if stream is None or stream.format is None:
            reason = _NO_SOURCE if stream is None else _UNTIMED
            _lay_back(engine, {letter.id: reason for letter in some})
        elif pipeline := pipeline_of(source):
            _absorb(engine, pipeline, stream, some, report)
        else:
            continue
        ours = True
    return ours


def kept_back(engine: Engine, streams: Sequence[Stream]) -> list[str]:
    """Say of which sources no line was ever an event: most likely their format was wrong."""
    with reading(engine) as connection:
        kept = deadletter.per_source(connection)
        read = {name: _position(connection, name, streams) for name in kept}
    mine = [one.source.name for one in streams if one.format is not None]
    return [
        f"{source}: {number} lines wait that were no events; once their format is right: "
        f"keywatch deadletters replay --source {source}"
        for source, number in kept.items()
        if "newest_ms" not in read[source] and any(_belongs(source, name) for name in mine)
    ]


def _position(
    connection: Connection, source: str, streams: Sequence[Stream]
) -> checkpoint.Position:
    """Return how far a source was read; of an object without a position of its own its folder."""
    folders = (one.source.name for one in streams if source.startswith(f"{one.source.name}/"))
    found = (checkpoint.load(connection, name) for name in (source, *folders))
    return next((one for one in found if one is not None), {})


def _absorb(
    engine: Engine, pipeline: Pipeline, stream: Stream, some: Sequence[DeadLetter], report: Report
) -> None:
    assert stream.format is not None
    by_header: dict[bytes, list[DeadLetter]] = defaultdict(list)
    for letter in some:
        by_header[_header(engine, letter, stream.format)].append(letter)
    for header, theirs in by_header.items():
        raw = [letter.raw for letter in theirs]
        parsed, _ = parsed_under(header, raw, stream.format, stream.proxies)
        refused = {theirs[line].id: reason for line, reason in parsed.rejected}
        _lay_back(engine, refused)
        good = [letter for letter in theirs if letter.id not in refused]
        if not good:
            continue
        ids = [letter.id for letter in good]
        chunk = Chunk(SOURCE, [letter.raw for letter in good], ids, {"letter": ids[-1]})
        report(
            stream,
            pipeline.absorb(chunk, stream.format, stream.proxies, letters=ids, header=header),
        )


def _header(engine: Engine, letter: DeadLetter, log_format: Format) -> bytes:
    """Return the line that a letter has to be read under; where none was kept, its source's."""
    if not log_format.header:
        return b""
    if "header" in letter.position:
        return str(letter.position["header"]).encode()
    with reading(engine) as connection:
        position = checkpoint.load(connection, letter.source) or {}
    return str(position.get("header", "")).encode()


def _lay_back(engine: Engine, reasons: dict[int, str]) -> None:
    if reasons:
        with transaction(engine) as connection:
            deadletter.lay_back(connection, reasons)


def _belongs(source: str, name: str) -> bool:
    """Say whether a letter's source is this one, or a partition, an object, a file of it."""
    if source == name or source.startswith(f"{name}/"):
        return True
    pattern = name.removeprefix("files:")
    return pattern != name and fnmatch(source.removeprefix("file:"), pattern)
