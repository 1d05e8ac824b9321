"""`keywatch watch`: sources in, pipeline, actions; until they are done or it is told to stop."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event

from sqlalchemy import Engine

from actions.background import Background, running
from database.engine import fit_caches
from detectors.handover import take_over
from detectors.watcher import Watcher
from detectors.watcher import WatchSettings as DetectorSettings
from keystore.meter import Meter
from keystore.scheme import DAY_S
from keywatch import wiring
from keywatch.carrying import carrying
from keywatch.config import Settings
from keywatch.holding import Holding
from keywatch.intake import queue_up
from keywatch.keybook import KeyBook
from keywatch.letters import kept_back, read_again
from keywatch.outside import Outside
from keywatch.pipeline import Outcome, Pipeline
from keywatch.pipelines import Pipelines, check_shared
from keywatch.polling import Polling
from keywatch.publishing import Publishing
from keywatch.pushes import Pushes
from keywatch.seat import Seat, seat_of, seated, taken
from keywatch.sources import Stream, opened, refuse_foreign, reopen, sources_of
from keywatch.upkeep import Upkeep
from keywatch.voice import Voice
from streams.chunk import Answering, Patchy, Shared
from streams.failing import Failing
from streams.retries import Retries
from streams.sources.stdin import StdinSource
from vocabulary.errors import BusyError, DatabaseError, FormatError, ServiceError, TargetError
from vocabulary.memory import give_back

IDLE_S = 0.02
"""How long to rest when no source had anything new."""

LOOK_S = 10.0
"""How often it is looked whether the databases of places were replaced, and memory given back."""

_THOROUGHLY = 6
"""Every so manyth time old objects are looked through as well."""

_RETRY_S = 1.0
_NO_SOURCE = (
    "no access log is configured, so none is read: name --access-log FILE and its --format, or "
    "[[sources]] in keywatch.toml"
)


class Watch:
    """Runs every configured source through one pipeline.

    Args:
        settings: the configuration.
        engine: the database.
        once: read what there is and end, instead of following.
        stop: set it to end after the chunk in hand.
        voice: where to speak.
    """

    def __init__(
        self, settings: Settings, engine: Engine, *, once: bool, stop: Event, voice: Voice
    ) -> None:
        self._settings, self._engine, self._once = settings, engine, once
        self._stop, self._voice = stop, voice
        self._policy, self._enabled = wiring.policy(settings), wiring.enabled(settings)
        self._hook = wiring.hook(settings)
        self._clean = wiring.cleaner(settings.scan, wiring.peppers(settings))
        self._geo = wiring.geo(settings.geoip)
        self._looked, self._looks = time.monotonic(), 0
        self._holding = Holding(engine, settings.watch.max_outbox, voice.tell)
        self._publishing = Publishing(engine, settings.publish, voice.tell)
        self._sources = sources_of(settings)
        formats = [one.format for one in self._sources if one.events == "access"]
        self._forest = wiring.forest(settings.watch.model, formats)
        self._upkeep = Upkeep(
            engine,
            settings.keys,
            {one.name: one.keys for one in settings.notify},
            events_kept_s=settings.repositories.kept_days * DAY_S,
        )
        check_shared(settings, self._sources)
        self._pipelines: Pipelines
        self._seat: Seat
        self._retries = Retries(voice.tell)
        self._failing = Failing(engine)
        self._failed: TargetError | ServiceError | FormatError | None = None
        self._begun = False

    def run(self) -> None:
        """Watch until `stop` is set or, with `once`, until everything is read and done.

        Raises:
            TargetError, ServiceError: with `once`, when a source could not be read to its end; the
                others were.
            FormatError: with `once`, when a source held no event.
            DatabaseError: with `once`; otherwise the watch waits for the database.
        """
        with seat_of(self._engine, shared=self._settings.watch.shared) as self._seat:
            while not self._over():
                pass

    def _over(self) -> bool:
        """Watch; say whether that is over, or could not begin since another one wrote for long."""
        try:
            if not self._sources or seated(
                self._seat, self._engine, self._stop.wait, self._voice.tell, once=self._once
            ):
                self._run()
        except BusyError as error:
            if self._once or self._begun:
                raise
            self._voice.tell(str(error))
            return self._stop.wait(_RETRY_S)
        return True

    def _run(self) -> None:
        self._pipelines = self._fresh()
        executor = wiring.executor(self._settings, self._engine)
        tell = self._voice.tell
        with (
            self._traced(),
            opened(self._engine, self._sources, once=self._once, tell=tell) as streams,
            running(executor, tell) as background,
            self._outside(background) as pushes,
            carrying(self._engine, self._settings.stores, tell, once=self._once),
        ):
            self._loop(list(streams), background)
            self._pipelines.settle(at_once=True)
            self._upkeep.turn()
            if self._once:
                Polling(self._engine, self._settings, tell).turn()
                pushes.work_off()
        if self._once:
            executor.run_out(self._stop.wait)
        if self._failed:
            raise self._failed

    @contextmanager
    def _traced(self) -> Iterator[None]:
        """Tell of what happens while the block runs, where somebody wants to know."""
        if not self._settings.telemetry.traces:
            yield
            return
        from keywatch.tracing import Following, spans_of  # noqa: PLC0415  (rarely wanted)

        spans = spans_of(self._settings.telemetry, "pipeline")
        assert spans is not None
        with Following(self._engine, spans).running():
            yield

    @contextmanager
    def _outside(self, background: Background) -> Iterator[Pushes]:
        """Scan what is pushed in a thread of its own; take in webhooks where that is configured."""
        outside = Outside(
            self._engine, self._settings, self._policy, self._enabled, self._voice, background.wake
        )
        if self._once:
            yield outside.pushes
            return
        with outside.running(self._hook, self._clean), self._publishing.running():
            yield outside.pushes

    def _loop(self, streams: list[Stream], background: Background) -> None:
        known = tuple(streams)
        self._read_again(known)
        kept = kept_back(self._engine, known)
        self._begun = True
        for said in (_NO_SOURCE if not self._sources else "", self._geo.missing, *kept):
            if said:
                self._voice.tell(said)
        # Without a source there is still the outbox to work off, and pushes to scan.
        while not self._stop.is_set() and (streams or not self._once):
            moved = [
                self._turn(stream, streams, background)
                for stream in list(streams if self._once else self._holding.readable(streams))
            ]
            self._keep_up(known)
            self._refresh_places(known)
            if not any(moved):
                self._stop.wait(IDLE_S)

    def _refresh_places(self, streams: Sequence[Stream]) -> None:
        """Take up databases of places that were replaced, and letters that are asked for."""
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._spare_memory()
            self._keep_seat()
            if self._settings.watch.shared:
                # Before letters are read again: not into profiles that are another worker's now.
                parts = [one.source.parts for one in streams if isinstance(one.source, Shared)]
                self._pipelines.let_go({name for names in parts for name in names})
            self._read_again(streams)
            if said := self._geo.refresh():
                self._voice.tell(said)

    def _spare_memory(self) -> None:
        """Hold no more than what is used."""
        self._looks += 1
        give_back(thoroughly=self._looks % _THOROUGHLY == 0)
        with suppress(DatabaseError):  # told of by the streams
            fit_caches(self._engine)

    def _keep_seat(self) -> None:
        """Go on from the last commit where the server may have let another watch in."""
        try:
            lost = bool(self._sources) and not self._seat.take()
        except DatabaseError:
            lost = True
        if lost:
            self._voice.tell(str(taken(self._engine)))
            self._start_anew()

    def _read_again(self, streams: Sequence[Stream]) -> None:
        """Read dead letters once more, where somebody asked for it."""
        try:
            if not self._sources and not self._seat.take():
                return  # who reads logs reads them
            while read_again(self._engine, self._pipelines.of, streams, self._report):
                pass
        except DatabaseError as error:
            self._voice.tell(str(error))
            self._start_anew()

    def _keep_up(self, streams: Sequence[Stream]) -> None:
        """Do what time alone asks for; a database that is away is told of by the streams."""
        failed = dict(self._retries.failed)
        for stream in streams:
            if isinstance(stream.source, Patchy):
                failed |= stream.source.failed
        try:
            self._failing.note(failed)
            self._pipelines.settle()
            for sentence in self._upkeep.turn():
                self._voice.tell(sentence)
        except DatabaseError:
            self._start_anew()

    def _turn(self, stream: Stream, streams: list[Stream], background: Background) -> bool:
        """Take one chunk of a stream, if there is one; drop the stream when it is at its end."""
        if not self._retries.is_due(stream.source.name):
            return False
        try:
            if stream.stale:
                reopen(self._engine, stream.source)
                stream.stale = False
            moved = self._advance(stream, background)
        except (TargetError, ServiceError, FormatError) as error:
            return self._set_back(stream, streams, error)
        except DatabaseError as error:
            stream.stale = True
            self._start_over(error)
            return False
        self._retries.succeed(stream.source.name)
        if stream.source.done:
            streams.remove(stream)
            refuse_foreign(stream)
        return moved

    def _set_back(
        self, stream: Stream, streams: list[Stream], error: TargetError | ServiceError | FormatError
    ) -> bool:
        """Try a stream again later; what is read once, or cannot be read twice, is given up."""
        if not self._once and stream.source.name != StdinSource.name:
            stream.stale = True
            self._retries.fail(stream.source.name, str(error))
            return False
        if not self._once or self._failed:
            self._voice.tell(str(error))
        self._failed = self._failed or error
        streams.remove(stream)
        return True

    def _advance(self, stream: Stream, background: Background) -> bool:
        chunk = stream.source.read(self._settings.watch.chunk_lines, 0.0)
        if chunk is None:
            return False
        if stream.format is None:
            most = self._settings.watch.max_dead_letters
            queue_up(self._engine, chunk, time.time(), self._clean, most)
            return True
        outcome = self._pipelines.absorb(chunk, stream.format, stream.proxies)
        if isinstance(stream.source, Answering):
            stream.source.note_dead(outcome.dead)
        stream.letters = stream.letters or chunk.source
        self._report(stream, outcome)
        if outcome.alerts:
            background.wake()
        return True

    def _start_over(self, error: DatabaseError) -> None:
        """Forget what was not committed, and go on from the last commit.

        Raises:
            DatabaseError: with `once`.
        """
        if self._once:
            raise error
        self._voice.tell(str(error))
        self._stop.wait(_RETRY_S)
        self._start_anew()

    def _start_anew(self) -> None:
        """Go on from the last commit; wait for the database, since what is in memory is not it.

        Raises:
            DatabaseError: with `once`.
        """
        while True:
            try:
                self._pipelines = self._fresh()
            except DatabaseError:
                if self._once:
                    raise
                if self._stop.wait(_RETRY_S):
                    return
            else:
                # The former ones hang in the frames of what failed, and may be large.
                give_back(thoroughly=True)
                return

    def _fresh(self) -> Pipelines:
        shared = self._settings.watch.shared
        if self._sources and not self._seat.take():
            raise taken(self._engine)
        take_over(self._engine, shared=shared)
        book = KeyBook(self._engine, self._settings.keys, self._settings.watch.sensitivity)
        memory = DetectorSettings(profiles_in_memory=self._settings.watch.profiles_in_memory)

        def make(shard: str) -> Pipeline:
            watcher = Watcher(self._engine, self._geo, memory, forest=self._forest, shard=shard)
            respond = wiring.responder(
                self._policy, self._enabled, book.known_key, lambda _: time.time(), self._hook,
                watcher.called,
            )  # fmt: skip
            meter = Meter(time.time, book.ours)
            return Pipeline(
                self._engine, watcher, self._clean, book, respond, time.time,
                meter=meter, together=shared,
                max_letters=self._settings.watch.max_dead_letters, wary=True,
            )  # fmt: skip

        return Pipelines(make, shared=shared)

    def _report(self, stream: Stream, outcome: Outcome) -> None:
        for sentence in outcome.told:
            self._voice.tell(sentence)
        for alert in outcome.alerts:
            self._voice.alert(alert)
        was_foreign = bool(stream.foreign)
        stream.note(outcome)
        if stream.foreign and not was_foreign and not self._once:
            self._voice.tell(f"{stream.source.name}: {stream.foreign} ({stream.remedy})")
