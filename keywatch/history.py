"""A user's own history, for commands that learn from it: files in, batches of events out."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from keywatch.sources import Stream, refuse_foreign
from streams.columns import batch_of
from streams.parsed import Format
from streams.sources.file import FileSource
from streams.unfolding import parsed_under, unfolded
from vocabulary.access import EventBatch
from vocabulary.credential import Cleaner

CHUNK_LINES = 50_000


def batches(
    logs: Sequence[Path],
    log_format: Format,
    clean: Cleaner,
    tell: Callable[[str], None],
    advance: Callable[[int], None],
) -> Iterator[EventBatch]:
    """Yield the events of logs, in the order given, with secrets replaced.

    Raises:
        FormatError: when a log holds no event of the format.
        TargetError: when a log cannot be read.
    """
    for log in logs:
        with FileSource(log, follow=False, tell=tell) as source:
            source.open(None)
            stream, header = Stream(source, log_format), b""
            while not source.done:
                chunk = source.read(CHUNK_LINES, 0.0)
                if chunk is None:
                    continue
                lines, _ = clean(unfolded(chunk, log_format).lines)
                parsed, header = parsed_under(header, lines, log_format)
                stream.lines += len(lines)
                stream.events += len(parsed.ts_ms)
                if parsed.rejected and not stream.reason:
                    stream.reason = parsed.rejected[0][1]
                yield batch_of(parsed)
                advance(sum(map(len, chunk.lines)) + len(chunk.lines))
            refuse_foreign(stream)
