"""A user's own history, for commands that learn from it: files in, batches of events out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from database.transaction import open_database
from detectors.facts import KeyFacts
from keywatch import exposure, rawkeys, wiring
from keywatch.config import Settings
from keywatch.keybook import KeyBook, sensitivity_of
from keywatch.replay import KeyList
from keywatch.sources import Stream, proxies_of, refuse_foreign
from streams.addresses import NO_PROXIES, Proxies
from streams.columns import Known, batch_of
from streams.parsed import Format, Parsed
from streams.sources.file import FileSource
from streams.unfolding import parsed_under, unfolded
from vocabulary.access import EventBatch
from vocabulary.credential import Cleaner
from vocabulary.errors import KeywatchError

CHUNK_LINES = 50_000


@dataclass(frozen=True, slots=True)
class Reading:
    """How lines of a history are read: as `keywatch watch` would.

    Attributes:
        format: of the lines.
        clean: replaces secrets in them.
        book: knows keys that stand in clear.
        proxies: whose X-Forwarded-For is believed.
    """

    format: Format
    clean: Cleaner
    book: KeyBook | KeyList
    proxies: Proxies = NO_PROXIES

    def known(self, key_ids: Sequence[str]) -> Sequence[bool]:
        """Say of each key whether it is watched: of a store with keys, others are not."""
        self.book.look_up(key_ids)
        return self.book.known(key_ids)

    def facts(
        self, key_ids: Sequence[str], listed: KeyList, table: Mapping[str, float]
    ) -> Mapping[str, KeyFacts]:
        """Return what is known of keys: what a file lists, or else what the store has.

        Args:
            key_ids: the keys.
            listed: from the command line.
            table: class, key id or * → sensitivity.
        """
        stored = {} if listed else self.book.facts(key_ids)
        if not stored:
            return listed.facts(key_ids)
        return {
            key_id: replace(one, sensitivity=sensitivity_of(table, key_id, one.key_class))
            for key_id, one in stored.items()
        }

    def parsed(self, header: bytes, lines: Sequence[bytes]) -> tuple[Parsed, bytes]:
        """Parse lines; return also the header that holds behind them."""
        lines, exposures = self.clean(lines)
        parsed, header = parsed_under(header, lines, self.format, self.proxies)
        known = exposure.recognized(exposures, self.book.find)
        return rawkeys.cleaned(exposure.named(parsed, known), self.book).parsed, header


@contextmanager
def reading(config: Settings, format_name: str) -> Iterator[Reading]:
    """Yield how a history is read, with the keys of the store where there is one."""
    how = wiring.log_format(config, format_name)
    clean = wiring.cleaner(config.scan, wiring.peppers(config))
    with keys_of(config) as book:
        yield Reading(how, clean, book, proxies_of(config))


@contextmanager
def keys_of(config: Settings) -> Iterator[KeyBook | KeyList]:
    """Yield what knows keys: the store, where there is one that can be read."""
    try:
        engine = open_database(config.database, create=False)
    except KeywatchError:
        yield KeyList()
        return
    try:
        yield KeyBook(engine, config.keys)
    finally:
        engine.dispose()


def batches(
    logs: Sequence[Path],
    how: Reading,
    tell: Callable[[str], None],
    advance: Callable[[int], None],
    known: Known | None = None,
) -> Iterator[EventBatch]:
    """Yield the events of logs, in the order given, with secrets replaced.

    Args:
        logs: the files.
        how: they are read.
        tell: is given sentences for a person.
        advance: is given the number of bytes that were read.
        known: says which keys are watched; None for all.

    Raises:
        FormatError: when a log holds no event of the format.
        TargetError: when a log cannot be read.
    """
    for log in logs:
        with FileSource(log, follow=False, tell=tell) as source:
            source.open(None)
            stream, header = Stream(source, how.format), b""
            while not source.done:
                chunk = source.read(CHUNK_LINES, 0.0)
                if chunk is None:
                    continue
                lines = unfolded(chunk.usable(), how.format).lines
                parsed, header = how.parsed(header, lines)
                stream.lines += len(lines)
                stream.events += len(parsed.ts_ms)
                if parsed.rejected and not stream.reason:
                    stream.reason = parsed.rejected[0][1]
                yield batch_of(parsed, known)
                advance(sum(map(len, chunk.lines)) + len(chunk.lines))
            refuse_foreign(stream)
