"""`keywatch replay`: files through the live pipeline, in event time, on throw-away state."""

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, event

from actions.decide import ALL
from actions.policy import Policy
from database.transaction import open_database
from detectors.facts import KeyFacts
from detectors.forest import Forest
from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from keystore import narrow
from keystore.keys import UNDECLARED, Declared
from keywatch import wiring
from keywatch.keybook import KeyBook, sensitivity_of
from keywatch.pipeline import Outcome, Pipeline
from keywatch.sources import Stream, refuse_foreign
from streams.addresses import NO_PROXIES, Proxies
from streams.parsed import Format
from streams.sources.file import FileSource
from vocabulary.alert import Alert
from vocabulary.credential import Cleaner, Credential, KnownKey
from vocabulary.errors import ConfigError, TargetError, UsageError
from vocabulary.moments import moment_of

CHUNK_LINES = 50_000
_SHOWN = 10


class ListedKey(msgspec.Struct, frozen=True):
    """A line of --keys: what a key store would tell of the key."""

    key: str
    key_class: str = msgspec.field(default="", name="class")
    owner: str = ""
    environment: str = "live"
    created_at: str = ""
    tz: str = ""
    rotated_from: str = ""
    declared: Declared = UNDECLARED


class KeyList:
    """The keys of a file, in the place of a key store; unknown ones are watched all the same.

    Args:
        listed: the keys.
        sensitivity: class, key id or * → how much sooner it is alerted about.
        store: knows keys that stand in clear, so that they are called by their ids.
    """

    def __init__(
        self,
        listed: Sequence[ListedKey] = (),
        sensitivity: Mapping[str, float] | None = None,
        store: "KeyBook | KeyList | None" = None,
    ) -> None:
        self._listed = {one.key: one for one in listed}
        self._sensitivity, self._store = sensitivity or {}, store

    def __bool__(self) -> bool:
        """Whether any key is listed."""
        return bool(self._listed)

    def look_up(self, key_ids: Sequence[str]) -> None:
        """There is nothing to prepare."""

    def known(self, key_ids: Sequence[str]) -> Sequence[bool]:
        """Every key is watched."""
        return [True] * len(key_ids)

    def facts(self, key_ids: Sequence[str]) -> Mapping[str, KeyFacts]:
        """Return what the file tells of these keys."""
        if not self._listed and not self._sensitivity:
            return {}
        rows = ((key_id, self._listed.get(key_id, ListedKey(key_id))) for key_id in key_ids)
        return {key_id: _facts(one, self._sensitivity) for key_id, one in rows}

    def shown(self, values: Collection[str]) -> Mapping[str, KnownKey]:
        """Return the keys of the store among values that are no ids of it."""
        return self._store.shown(values) if self._store else {}

    def ours(self, key_ids: Sequence[str]) -> set[str]:
        """Return those that the file names, and those of the store."""
        stored = self._store.ours(key_ids) if self._store else set()
        return stored | {key_id for key_id in key_ids if key_id in self._listed}

    def find(self, credentials: Sequence[Credential]) -> Sequence[KnownKey | None]:
        """Return what the store knows of each credential; a list of keys holds no hashes."""
        return self._store.find(credentials) if self._store else [None] * len(credentials)

    def known_key(self, _connection: Connection | None, key_id: str) -> KnownKey:
        """Return the key as a live one of the store, so that a policy can decide about it."""
        one = self._listed.get(key_id, ListedKey(key_id))
        return KnownKey(
            key_id=key_id,
            state="active",
            verdict="live",
            environment=one.environment,
            owner=one.owner,
            key_class=one.key_class,
            tz=one.tz,
        )


def read_keys(file: Path) -> list[ListedKey]:
    """Read a file of keys, one JSON object a line.

    Raises:
        TargetError: when it cannot be read.
        ConfigError: for a line that is no such object, with its number.
    """
    decode = msgspec.json.Decoder(ListedKey).decode
    listed = []
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise TargetError(str(error.strerror).lower(), where=str(file)) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            listed.append(_checked(decode(line)))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"no key: {error}",
                where=f"{file}:{number}",
                remedy='write one object a line, such as {"key": "key_…", "class": "service"}',
            ) from error
        except UsageError as error:
            raise ConfigError(error.what, where=f"{file}:{number}", remedy=error.remedy) from error
    return listed


def _checked(one: ListedKey) -> ListedKey:
    if one.created_at:
        moment_of(one.created_at, 0.0)
    narrow.zone(one.tz)
    return msgspec.structs.replace(one, declared=narrow.declared(one.declared))


def _facts(one: ListedKey, table: Mapping[str, float]) -> KeyFacts:
    created = moment_of(one.created_at, 0.0) if one.created_at else 0.0
    keen = sensitivity_of(table, one.key, one.key_class)
    said = one.declared
    return KeyFacts(
        one.key_class, created, one.tz, one.environment, keen, one.rotated_from,
        said.countries, said.hours, said.days, said.rate_per_h,
    )  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What a replay came to; `rejected` is reason → where such lines stand: `log:line`."""

    lines: int = 0
    events: int = 0
    late: int = 0
    alerts: int = 0
    rejected: dict[str, list[str]] = field(default_factory=dict)
    broken: list[TargetError] = field(default_factory=list)

    def add(self, outcome: Outcome, log: str, before: int) -> None:
        """Add a chunk of a log of which so many lines came before."""
        for line, reason in outcome.rejected:
            self.rejected.setdefault(reason, []).append(f"{log}:{before + line + 1}")
        self.lines += outcome.lines
        self.events += outcome.events
        self.late += outcome.late
        self.alerts += len(outcome.alerts)

    def public(self) -> dict[str, Any]:
        """Return the JSON contract of a replay's summary."""
        return {
            "lines": self.lines,
            "events": self.events,
            "late": self.late,
            "alerts": self.alerts,
            "rejected": self.rejected,
            "broken": [str(error) for error in self.broken],
        }

    def sentence(self) -> str:
        """Say it to a person, with the reasons of lines that were no events."""
        said = [f"{self.events} of {self.lines} lines are events, {self.alerts} alerts"]
        for reason, places in sorted(self.rejected.items()):
            more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
            said.append(f"{len(places)} lines, {reason}: {', '.join(places[:_SHOWN])}{more}")
        return "\n".join(said)


@dataclass(frozen=True, slots=True)
class Replay:
    """What to run the files through.

    Attributes:
        forest: a model of sessions, or None.
        alert: is given every alert, with what would have been done.
        advance: is given the number of bytes of the log that were read, and so far events.
        tell: is given sentences for a person.
        proxies: whose X-Forwarded-For is believed.
    """

    format: Format
    clean: Cleaner
    geo: GeoReader
    policy: Policy
    keys: KeyList
    forest: Forest | None
    alert: Callable[[Alert], None]
    advance: Callable[[int], None]
    tell: Callable[[str], None]
    proxies: Proxies = NO_PROXIES

    def run(self, logs: Sequence[Path]) -> Tally:
        """Replay the logs in the order given.

        A log that breaks off is replayed up to there; the tally names it.

        Raises:
            FormatError: when a log holds no event of the format.
            TargetError: when a log cannot be opened.
        """
        tally = Tally()
        with throw_away() as engine:
            pipeline = self._pipeline(engine)
            for log in logs:
                self._one(log, pipeline, tally)
        return tally

    def _pipeline(self, engine: Engine) -> Pipeline:
        respond = wiring.responder(
            self.policy, ALL, self.keys.known_key, lambda alert: moment_of(alert.ts, 0.0)
        )
        watcher = Watcher(engine, self.geo, forest=self.forest, clock=time.time)
        return Pipeline(engine, watcher, self.clean, self.keys, respond, time.time)

    def _one(self, log: Path, pipeline: Pipeline, tally: Tally) -> None:
        with FileSource(log, follow=False, tell=self.tell) as source:
            source.open(None)
            stream = Stream(source, self.format)
            while not source.done:
                try:
                    chunk = source.read(CHUNK_LINES, 0.0)
                except TargetError as error:
                    tally.broken.append(error)
                    break
                if chunk is None:
                    continue
                outcome = pipeline.absorb(chunk, self.format, self.proxies)
                tally.add(outcome, str(log), stream.lines)
                stream.note(outcome)
                for sentence in outcome.told:
                    self.tell(sentence)
                for alert in outcome.alerts:
                    self.alert(msgspec.structs.replace(alert, dry_run=True))
                self.advance(sum(map(len, chunk.lines)) + len(chunk.lines))
            refuse_foreign(stream)


@contextmanager
def throw_away() -> Iterator[Engine]:
    """Yield a database that is gone afterwards, and need not survive a crash."""
    with tempfile.TemporaryDirectory(prefix="keywatch-replay-") as folder:
        engine = open_database(f"sqlite:///{folder}/replay.db")
        engine.dispose()
        event.listen(engine, "connect", _hurried)
        try:
            yield engine
        finally:
            engine.dispose()


def _hurried(connection: Any, _record: Any) -> None:  # noqa: ANN401  (the driver's)
    connection.execute("PRAGMA synchronous=OFF")
