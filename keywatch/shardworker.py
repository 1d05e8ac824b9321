"""The pipeline of a job's shards: what one of Spark's Python processes works with."""

import time
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import numpy as np
import pandas as pd

from actions.blast import Called, nobody_knows
from database.engine import engine_of
from database.transaction import reading, transaction
from detectors import refusals
from detectors.watcher import Watcher, WatchSettings
from keystore.meter import Meter
from keywatch import exposure, rawkeys, wiring
from keywatch.config import Settings
from keywatch.config_streams import SourceSettings
from keywatch.keybook import KeyBook
from keywatch.pipeline import Pipeline, Respond
from keywatch.pipelines import Pipelines
from streams import checkpoint, deadletter, formats
from streams.addresses import Proxies
from streams.chunk import Chunk
from streams.columns import batch_of
from streams.parsed import Parsed
from vocabulary.access import EventBatch

_CARRIED = ("first", "second", "third", "letter", "line")


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know; it travels to every one, secrets of the configuration included.

    Attributes:
        name: what is committed is known by it.
        shards: so many pipelines; a job keeps its number for ever.
        settings, source: JSON of the whole configuration, and of the source of the lines.
        act: whether actions that are switched on are carried out.
    """

    name: str
    shards: int
    settings: bytes
    source: bytes
    act: bool


class Done(NamedTuple):
    """What the lines of a shard came to."""

    shard: int
    lines: int = 0
    events: int = 0
    late: int = 0
    alerts: int = 0


class Worker:
    """Works for a job, in one process.

    Args:
        job: what is to be done.
    """

    def __init__(self, job: Job) -> None:
        settings = msgspec.json.decode(job.settings, type=Settings)
        source = msgspec.json.decode(job.source, type=SourceSettings)
        self._job, self._settings = job, settings
        self._engine = engine_of(settings.database, create=False)
        self._format = formats.shaped(source.format, source.shape)
        self._proxies = Proxies.of(source.trusted_proxies)
        self._clean = wiring.cleaner(settings.scan, wiring.peppers(settings))
        self._book = KeyBook(self._engine, settings.keys, settings.watch.sensitivity)
        self._policy, self._hook = wiring.policy(settings), wiring.hook(settings)
        self._enabled = wiring.enabled(settings) if job.act else frozenset()
        self._geo = wiring.geo(settings.geoip)
        self._forest = wiring.forest(settings.watch.model, [source.format])
        self._plausible = Watcher(None, self._geo).plausible
        self._pipelines = Pipelines(self._pipeline, shared=True)

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def dealt_out(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows with their shards, and those that were refused a second time."""
        frame = self._unfolded(frame)
        parsed, batch = self._parsed(frame["line"].tolist())
        shard = frame["line"].map(crc32).to_numpy(np.int64) % self._job.shards
        codes = {key: crc32(key.encode("utf-8", "replace")) for key in set(parsed.key)}
        lines = np.asarray(parsed.line, np.int64)
        shard[lines] = [codes[key] % self._job.shards for key in parsed.key]
        accepted = np.empty(len(parsed), np.bool_)
        accepted[batch.arrival] = batch.accepted
        tried = ~accepted & np.array([bool(ip) for ip in parsed.ip], np.bool_)
        again = frame.iloc[lines[tried]].assign(
            shard=[-1 - refusals.row_of(ip) for ip in compress(parsed.ip, tried)]
        )
        names = ["shard", *(name for name in _CARRIED if name in frame)]
        return pd.concat([frame.assign(shard=shard)[names], again[names]], ignore_index=True)

    def committed(self, shard: int) -> checkpoint.Position | None:
        """Return how far the shard has come; None when it was never begun."""
        with reading(self._engine) as connection:
            return checkpoint.load(connection, self._name(shard))

    def absorb(self, shard: int, rows: pd.DataFrame, begin: int, end: int) -> Done:
        """Absorb rows of a shard, unless that was done before.

        Args:
            shard: which one.
            rows: sorted.
            begin: where they stand in the shard; what is committed beyond it is done.
            end: what is committed behind them.

        Raises:
            DatabaseError: nothing of them is committed.
        """
        source, known = self._name(shard), self.committed(shard)
        if known is not None and int(known["offset"]) > begin:
            # A part is committed whole: what a repeated task brings is what it brought before.
            return Done(shard)
        chunk = Chunk(
            source=source,
            lines=rows["line"].tolist(),
            offsets=rows["third"].tolist(),
            partitions=rows["second"].tolist(),
            stamps=rows["first"].tolist(),
            position={
                "offset": end,
                "after": checkpoint.mark(known),
                **({"again": known["again"]} if known and "again" in known else {}),
            },
        )
        if shard < 0:
            return Done(shard, alerts=self._look_at_addresses(chunk))
        outcome = self._pipelines.absorb(chunk, self._format, self._proxies)
        return Done(shard, outcome.lines, outcome.events, outcome.late, len(outcome.alerts))

    def read_again(self, shard: int, rows: pd.DataFrame) -> Done:
        """Absorb dead letters of a shard beside the order of its lines; what was absorbed is not.

        Args:
            shard: which one.
            rows: sorted.

        Raises:
            DatabaseError: nothing of them is committed, but for those that are laid back.
        """
        known, ids = self.committed(shard), rows["letter"].tolist()
        position = {"offset": 0, **(known or {}), "after": checkpoint.mark(known)}
        position["again"] = int(position.get("again", 0)) + 1
        chunk = Chunk(self._name(shard), rows["line"].tolist(), ids, position)
        if shard < 0:
            return Done(shard, alerts=self._look_once(chunk))
        cleaned, _ = self._clean(chunk.lines)
        refused = dict(self._format.parse(cleaned, self._proxies).rejected)
        with transaction(self._engine) as connection:
            deadletter.lay_back(connection, {ids[line]: why for line, why in refused.items()})
        good = [line for line in range(len(ids)) if line not in refused]
        if not good:
            return Done(shard)
        ids, lines = [ids[line] for line in good], [chunk.lines[line] for line in good]
        chunk = replace(chunk, lines=lines, offsets=ids)
        outcome = self._pipelines.absorb(chunk, self._format, self._proxies, ids)
        return Done(shard, outcome.lines, outcome.events, outcome.late, len(outcome.alerts))

    def _look_once(self, chunk: Chunk) -> int:
        """Look at letters of addresses that were not looked at before their events were to be."""
        keys = [f"letter:{number}" for number in chunk.offsets]
        with reading(self._engine) as connection:
            seen = checkpoint.delivered(connection, keys)
        new = [line for line, key in enumerate(keys) if key not in seen]
        if not new:
            return 0
        return self._look_at_addresses(
            replace(
                chunk,
                lines=[chunk.lines[line] for line in new],
                offsets=[chunk.offsets[line] for line in new],
                position={**chunk.position, "deliveries": {keys[line]: "" for line in new}},
            )
        )

    def _look_at_addresses(self, chunk: Chunk) -> int:
        """Look for addresses that try keys; return how many alerts that gave."""
        _, batch = self._parsed(chunk.lines)
        times, now, respond = self._plausible(batch.ts_ms), time.time(), self._responder()
        with transaction(self._engine) as connection:
            sources = refusals.seen(connection, chunk.source)
            alerts = sources.alerts(batch, times)
            for alert in alerts:
                respond(connection, alert)
            refusals.keep(connection, chunk.source, sources)
            checkpoint.save(connection, chunk.source, chunk.position, now)
        return len(alerts)

    def _parsed(self, lines: Any) -> tuple[Parsed, EventBatch]:  # noqa: ANN401  (lines)
        cleaned, exposures = self._clean(lines)
        parsed = self._format.parse(cleaned, self._proxies)
        found = exposure.credentials(exposures)
        if found:
            answers = self._book.find(found)
            known = {c.token: key for c, key in zip(found, answers, strict=True) if key}
            parsed = exposure.named(parsed, known)
        parsed = rawkeys.cleaned(parsed, self._book).parsed
        return parsed, batch_of(parsed, self._known)

    def _known(self, key_ids: Any) -> Any:  # noqa: ANN401  (a sequence in, another out)
        self._book.look_up(key_ids)
        return self._book.known(key_ids)

    def _unfolded(self, frame: pd.DataFrame) -> pd.DataFrame:
        # A record is one line, whatever its producer put into it.
        frame = frame.assign(line=[(one or b"").replace(b"\n", b" ") for one in frame["line"]])
        if self._format.unfold is None or "letter" in frame:
            return frame
        several = frame.assign(line=frame["line"].map(self._format.unfold)).explode("line")
        return several[several["line"].notna()].reset_index(drop=True)

    def _pipeline(self, source: str) -> Pipeline:
        memory = max(1000, self._settings.watch.profiles_in_memory // self._job.shards)
        watcher = Watcher(
            self._engine,
            self._geo,
            WatchSettings(profiles_in_memory=memory),
            forest=self._forest,
            shard=source,
        )
        meter = Meter(time.time, self._book.ours, flush_s=0.0)
        respond = self._responder(watcher.called)
        return Pipeline(
            self._engine, watcher, self._clean, self._book, respond, time.time,
            meter=meter, max_letters=self._settings.watch.max_dead_letters,
        )  # fmt: skip

    def _responder(self, called: Called = nobody_knows) -> Respond:
        known = self._book.known_key
        return wiring.responder(
            self._policy, self._enabled, known, lambda _: time.time(), self._hook, called
        )

    def _name(self, shard: int) -> str:
        place = str(shard) if shard >= 0 else f"addresses/{-1 - shard}"
        return f"spark:{self._job.name}/{place}"
