"""The way of access events: chunk → batch → alerts → one transaction. Live and replay alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, Engine, delete, select

from database import counters
from database.schema import lessons
from database.transaction import in_commit_order, reading, transaction
from detectors import refusals
from detectors.facts import KeyFacts
from detectors.watcher import Step, Watcher
from keystore.meter import Meter
from keywatch import exposure, rates, rawkeys
from keywatch.status import DROPPED, LATE
from streams import checkpoint, deadletter
from streams.addresses import NO_PROXIES, Proxies
from streams.chunk import Chunk
from streams.columns import batch_of
from streams.parsed import Format, Rejection
from streams.unfolding import header_at, parsed_under, unfolded
from vocabulary.access import COUNTED, EventBatch, Flags
from vocabulary.alert import Alert
from vocabulary.credential import Cleaner, Credential, KnownKey
from vocabulary.errors import FormatError
from vocabulary.lesson import Lesson

FOREIGN_LINES = 100
"""So many lines of a file that was never read, and no event among them: it is of another format."""

MAX_HEADER = 16 * 1024
"""Bytes that are kept of a line that says how others are read."""

Clock = Callable[[], float]
Respond = Callable[[Connection, Alert], Alert]
"""Decide on an alert and record what follows from it, in the given transaction."""


class Keys(rawkeys.Book, Protocol):
    """What is known of keys: the key store's book, or a file of a replay."""

    def look_up(self, key_ids: Sequence[str]) -> None:
        """Prepare for questions about these keys."""

    def known(self, key_ids: Sequence[str]) -> Sequence[bool]:
        """Say of each key whether its events may be learned from."""

    def facts(self, key_ids: Sequence[str]) -> Mapping[str, KeyFacts]:
        """Return what the detectors may know of these keys."""

    def find(self, credentials: Sequence[Credential]) -> Sequence[KnownKey | None]:
        """Return what is known of each credential."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a chunk came to; `rejected` is (index of the line, reason), `dead` are their offsets."""

    lines: int = 0
    events: int = 0
    late: int = 0
    rejected: Sequence[tuple[int, str]] = ()
    alerts: tuple[Alert, ...] = ()
    told: tuple[str, ...] = field(default=())
    dead: Sequence[int] = ()


class Pipeline:
    """Turns chunks into committed state.

    After an error the watcher may be ahead of the database: throw the pipeline away and make a
    new one, which goes on from the last commit.

    Args:
        engine: the database that everything commits to.
        watcher: the detectors.
        clean: replaces secrets in lines.
        keys: what is known of keys.
        respond: from alert to outbox.
        clock: epoch seconds.
        meter: counts the uses of keys; None where nobody asks for them.
        together: whether other pipelines see a part of the events, too.
        max_letters: how many dead letters are kept; 0 for any number.
        wary: refuse a new file of another format, instead of keeping all of it as dead letters.
    """

    def __init__(  # noqa: PLR0913  (what it is made of)
        self,
        engine: Engine,
        watcher: Watcher,
        clean: Cleaner,
        keys: Keys,
        respond: Respond,
        clock: Clock,
        *,
        meter: Meter | None = None,
        together: bool = False,
        max_letters: int = 0,
        wary: bool = False,
    ) -> None:
        self._wary = wary
        self._engine, self._watcher, self._clean = engine, watcher, clean
        self._keys, self._respond, self._clock = keys, respond, clock
        self._meter, self._together, self._max_letters = meter, together, max_letters
        self._headers: dict[str, bytes] = {}

    def absorb(
        self,
        chunk: Chunk,
        log_format: Format,
        proxies: Proxies = NO_PROXIES,
        letters: Sequence[int] = (),
        header: bytes | None = None,
    ) -> Outcome:
        """Take in a chunk: everything it leads to is committed when this returns.

        Args:
            chunk: lines of one source.
            log_format: of the lines.
            proxies: whose X-Forwarded-For is believed.
            letters: dead letters that these lines were; they are so no more.
            header: that the lines were read under, where it is not that of the source.

        Raises:
            DatabaseError: nothing of the chunk is committed.
            FormatError: nothing of it is, since it begins a file of another format.
        """
        refused = self._refused(chunk)
        chunk = unfolded(chunk.usable(), log_format)
        lines, exposures = self._clean(chunk.lines)
        before = self._header(chunk.source) if log_format.header and header is None else header
        before = before or b""
        parsed, behind = parsed_under(before, lines, log_format, proxies)
        if not len(parsed) and len(parsed.rejected) >= FOREIGN_LINES and not letters:
            self._refuse_foreign(chunk, log_format, parsed.rejected)
        known = exposure.recognized(exposures, self._keys.find)
        shown = rawkeys.cleaned(exposure.named(parsed, known), self._keys)
        parsed, exposures = shown.parsed, [*exposures, *shown.exposures]
        known = {**known, **shown.known}
        waiting = self._lessons()
        batch = batch_of(parsed, self._known)
        newest_ms = int(self._watcher.plausible(batch.ts_ms).max()) if len(batch) else 0
        if self._meter:
            self._meter.add(batch, counted=_counted(batch, parsed.line, lines, log_format))
        step = self._score(batch, list(waiting), log_format.lateness_s)
        now = self._clock()
        alerts = (*step.alerts, *exposure.alerts(exposures, known, chunk.source, now))
        rejected = _letters(chunk, lines, parsed.rejected, (before, log_format))
        dead = self._without_keys(rejected)
        meter = self._meter if self._meter and self._meter.is_due() else None
        with self._transaction(in_order=bool(alerts or meter)) as connection:
            keep_letters(connection, chunk.source, [*refused, *dead], now, self._max_letters)
            step.write(connection, now)
            if self._together:
                times = self._watcher.plausible(batch.ts_ms)
                alerts = (*alerts, *refusals.tell(connection, batch, times))
            _forget(connection, [number for one in step.taught for number in waiting[one]])
            decided = tuple(self._respond(connection, alert) for alert in alerts)
            deadletter.forget(connection, letters)
            counters.add(connection, _totals(len(lines) - len(letters), step, chunk.family))
            rates.note(connection, now, step.events, chunk.family)
            notes: dict[str, Any] = {"header": _word(behind)} if behind and not letters else {}
            if newest_ms and not letters:
                notes |= {"newest_ms": newest_ms, "lag_ms": max(0, int(now * 1000) - newest_ms)}
                counters.put(connection, {"lag_ms": notes["lag_ms"]})
            if chunk.behind is not None:
                notes["behind"] = chunk.behind
            position = {**chunk.position, **notes}
            checkpoint.save(connection, chunk.source, position, now)
            if meter:
                meter.flush(connection)
        if not letters:
            self._headers[chunk.source] = behind
        if chunk.position.get("done"):
            self._headers.pop(chunk.source, None)
        at = [chunk.offsets[line] for line, _ in parsed.rejected]
        return Outcome(len(lines), step.events, step.late, parsed.rejected, decided, step.told, at)

    @contextmanager
    def _transaction(self, *, in_order: bool) -> Iterator[Connection]:
        """Begin; who needs the order of commits asks for it before rows that all workers want."""
        with transaction(self._engine) as connection:
            if in_order:
                in_commit_order(connection)
            yield connection

    def _header(self, source: str) -> bytes:
        """Return the line that says how the lines of a source are read, as last committed."""
        if source not in self._headers:
            with reading(self._engine) as connection:
                position = checkpoint.load(connection, source) or {}
            self._headers[source] = str(position.get("header", "")).encode()
        return self._headers[source]

    def _refuse_foreign(
        self, chunk: Chunk, log_format: Format, rejected: Sequence[Rejection]
    ) -> None:
        """Refuse to take a whole log for dead letters, when it begins as no log of its format does.

        Only of files, which stay where they are until the format is corrected.

        Raises:
            FormatError: and what to do about it.
        """
        if not self._wary or not chunk.source.startswith("file:") or chunk.offsets[0]:
            return
        with reading(self._engine) as connection:
            position = checkpoint.load(connection, chunk.source) or {}
        if "newest_ms" not in position:
            raise FormatError(
                f"none of the first {len(rejected)} lines is {log_format.name}: {rejected[0][1]}",
                where=chunk.source,
                remedy="nothing of it was taken in; name another --format: "
                "`keywatch doctor --access-log FILE` finds it",
            )

    def _without_keys(self, letters: Sequence[deadletter.Letter]) -> list[deadletter.Letter]:
        """Return letters without keys that no rule knows."""
        raw = rawkeys.without_keys([line for *_, line in letters], self._keys)
        return [
            (place, reason, line) for (place, reason, _), line in zip(letters, raw, strict=True)
        ]

    def _refused(self, chunk: Chunk) -> list[deadletter.Letter]:
        """Return the lines that their source refused, cleaned of secrets."""
        lines, _ = self._clean([chunk.lines[number] for number, _ in chunk.refused])
        lines = rawkeys.without_keys(lines, self._keys)
        told = zip(chunk.refused, lines, strict=True)
        return [(chunk.place(number), reason, line) for (number, reason), line in told]

    def settle(self, *, at_once: bool = False) -> None:
        """Write down the uses of keys when it is time, though no chunk came in.

        Raises:
            DatabaseError: when they could not be written; throw the pipeline away.
        """
        if self._meter and (at_once or self._meter.is_due()):
            with transaction(self._engine) as connection:
                self._meter.flush(connection)

    def _lessons(self) -> dict[Lesson, list[int]]:
        """Return what people have said and no profile has learned yet, with its numbers."""
        found: dict[Lesson, list[int]] = {}
        with reading(self._engine) as connection:
            for row in connection.execute(select(lessons).order_by(lessons.c.id)):
                one = Lesson(row.key_id, row.verdict, row.first_ms, row.last_ms)
                found.setdefault(one, []).append(int(row.id))
        return found

    def _score(self, batch: EventBatch, said: Sequence[Lesson], lateness_s: float) -> Step:
        facts = self._keys.facts(batch.keys)
        return self._watcher.step(batch, facts, said, lateness_s)

    def _known(self, key_ids: Sequence[str]) -> Sequence[bool]:
        self._keys.look_up(key_ids)
        return self._keys.known(key_ids)


_OF_GATEWAY = frozenset({"nginx-json", "keywatch-json"})
"""Formats in which our gateway writes."""


def _counted(
    batch: EventBatch, numbers: Sequence[int], lines: Sequence[bytes], log_format: Format
) -> Flags | None:
    """Return of which events a gateway has counted already that keys were used; None for none."""
    if log_format.name not in _OF_GATEWAY:
        return None
    found = [COUNTED in lines[number] for number in numbers]
    return np.array(found, dtype=np.bool_)[batch.arrival] if any(found) else None


def keep_letters(
    connection: Connection,
    source: str,
    letters: Sequence[deadletter.Letter],
    now: float,
    most: int,
) -> None:
    """Keep dead letters, and count those that are dropped to make room; see `deadletter`."""
    if not letters:
        return
    deadletter.keep(connection, source, letters, now)
    if dropped := deadletter.limit(connection, most):
        counters.add(connection, {f"{DROPPED}dead_letters": dropped})


def _letters(
    chunk: Chunk,
    lines: Sequence[bytes],
    rejected: Sequence[Rejection],
    under: tuple[bytes, Format],
) -> list[deadletter.Letter]:
    """Return lines that are no events, each with the header that it has to be read under."""
    letters: list[deadletter.Letter] = []
    for line, reason in rejected:
        header = header_at(under[0], lines, line, under[1])
        noted = {"header": _word(header)} if header else {}
        letters.append(({**chunk.place(line), **noted}, reason, lines[line]))
    return letters


def _word(header: bytes) -> str:
    """Return a header as it is kept: lines are hostile."""
    return header[:MAX_HEADER].decode("utf-8", "replace")


def _forget(connection: Connection, learned: Sequence[int]) -> None:
    """Drop what people said and profiles have learned now."""
    if learned:
        connection.execute(delete(lessons).where(lessons.c.id.in_(learned)))


def _totals(lines: int, step: Step, source: str) -> dict[str, int]:
    late = {f"{LATE}{source}": step.late} if step.late else {}
    totals = {"events_read": lines, "events_committed": step.events, "events_late": step.late}
    return totals | late
