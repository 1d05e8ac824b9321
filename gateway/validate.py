"""From a secret to how its key stands: the cache, and one look-up for all who wait for it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from hmac import digest as hmac_digest
from typing import NamedTuple

from gateway.cache import Generations
from gateway.follower import Answer, Question
from gateway.ledger import Ledger
from gateway.options import Clock, Options, Ticks
from gateway.reader import News, Reader
from gateway.renewal import Renewal
from gateway.standing import DENIED, UNAVAILABLE, UNKNOWN, Grant, Standing, standing_of
from keystore.denials import DenyList
from keystore.grants import Grants
from keystore.identities import Name
from keystore.keys import NAMED, PUBLIC_ID, SHA256, Key, Kind
from keystore.unregistered import name_of_digest
from vocabulary.credential import Credential, credential_of

_MAX_FLIGHTS = 10_000
_MAX_AHEAD = 100_000
_PATIENCE_S = 2.0
_MAX_GRANTS = 10_000
_AHEAD = 3
"""In the last third of the time for which it may be held, a key that is used is read again."""
_HEARD_IN_TIME = 5
"""So many words from the key store come in the silence that is borne, when all is well."""
_MARGIN_S = 1.0
"""So much earlier than it need be a key's own end is looked for."""


class _Flight(NamedTuple):
    """One look-up under way: when it is given up, and who waits for it."""

    timer: asyncio.TimerHandle
    waiters: list[asyncio.Future[Standing]]


class Validator:
    """What the gateway knows of keys; lives on one event loop.

    Args:
        reader: reads the key store.
        ledger: writes to it.
        options: the operator's.
        clock: epoch seconds; keys expire by it.
        ticks: nanoseconds; the reader's silence is measured by them.
    """

    def __init__(
        self, reader: Reader, ledger: Ledger, options: Options, clock: Clock, ticks: Ticks
    ) -> None:
        self._reader, self._clock, self._ticks = reader, clock, ticks
        self._peppers = options.peppers
        self._cached_s = options.cached_s
        # Who must be looked up does not wait for as long as others may be believed.
        self._patience_s = min(options.silence_s, _PATIENCE_S)
        self._silence_ns = int(options.silence_s * 1e9)
        reader.quiet_s = min(reader.quiet_s, options.silence_s / _HEARD_IN_TIME)
        self._known: Generations[Standing] = Generations(options.cached_keys)
        self._unknown: Generations[float] = Generations(options.cached_unknown)
        self._grants: dict[Grant, Grant] = {}
        self._latest_until = 0.0
        self._flights: dict[bytes, _Flight] = {}
        self._ahead_s = options.cached_s / _AHEAD
        self._ahead: set[bytes] = set()
        self._ahead_since_ns = 0
        self.ledger = ledger
        """Where it is written down that keys are used, and what they spend."""
        self.denials = DenyList()
        """What is refused although it is genuine."""
        self._heard_ns: int | None = None
        self._ready: asyncio.Event | None = None
        # written by the reader's thread, and by the loop's
        self._delivered = self._taken = 0

    def start(self) -> None:
        """Begin to follow the key store, on the running loop."""
        loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()

        self._delivered = self._taken = 0

        def deliver(news: News) -> None:
            if news.is_none and self._delivered == self._taken:
                # All that was delivered is taken in: the loop need not be woken for this.
                self._heard_ns = news.heard_ns
                return
            self._delivered += 1
            with suppress(RuntimeError):  # the loop was closed without telling us
                loop.call_soon_threadsafe(self._take, news)

        self._reader.start(deliver)

    async def ready(self) -> None:
        """Wait for the first word from the key store, for as long as silence is borne."""
        assert self._ready is not None
        try:
            await asyncio.wait_for(self._ready.wait(), self._patience_s)
        except TimeoutError:
            return

    def is_current(self) -> bool:
        """Whether the key store was heard of lately, so that what is cached is true."""
        heard_ns = self._heard_ns
        return heard_ns is not None and self._ticks() - heard_ns <= self._silence_ns

    @property
    def cached_keys(self) -> int:
        """Number of keys and identities in memory."""
        return len(self._known)

    def cached(self, secret: bytes, now: float, now_ns: int) -> Standing | None:
        """Return how the key stands without waiting, None when that must be looked up.

        Args:
            secret: the key in full.
            now: epoch seconds.
            now_ns: ticks.
        """
        heard_ns = self._heard_ns
        if heard_ns is None or now_ns - heard_ns > self._silence_ns:
            return UNAVAILABLE
        digest = sha256(secret).digest()
        standing = self._known.get(digest)
        if standing is None and self._peppers:
            standing = self._peppered(secret)
        if self.denials.refuses_by_name and self._is_denied(digest, now):
            return _denied(standing)
        if standing is not None:
            left_s = standing.until - now
            if left_s > self._ahead_s:
                return standing
            if left_s <= 0:
                return None
            self._read_again(digest, secret, standing, now)
            return standing
        until = self._unknown.get(digest)
        return UNKNOWN if until is not None and now < until else None

    def _read_again(self, digest: bytes, secret: bytes, standing: Standing, now: float) -> None:
        """Have a key read again that may be held only a little longer.

        Nobody who uses a key all the time waits for it. One that ends by itself is read again
        once or twice; a change of the key does not wait for any of this.
        """
        now_ns = self._ticks()
        if now_ns - self._ahead_since_ns > self._ahead_s * 1e9:
            self._ahead_since_ns = now_ns
            self._ahead.clear()
        if digest in self._ahead or len(self._ahead) >= _MAX_AHEAD:
            return
        self._ahead.add(digest)
        if standing.mark and not self._peppers:
            self._reader.renew(self._renewal(digest, standing, now))
        elif digest not in self._flights and len(self._flights) < _MAX_FLIGHTS:
            credential = credential_of(secret.decode(), peppers=self._peppers)
            self._await(digest)
            self._reader.ask(Question(digest, credential))

    async def look_up(self, secret: bytes) -> Standing:
        """Ask the key store; those who ask for the same key at once share one answer."""
        digest = sha256(secret).digest()
        question: Question | Renewal | None = None
        if digest not in self._flights:
            held = self._known.get(digest)
            if held is not None and held.mark and not self._peppers:
                question = self._renewal(digest, held, self._clock())
            else:
                credential = credential_of(secret.decode(), peppers=self._peppers)
                question = Question(digest, credential)
        standing = await self._asked(digest, question)
        return _denied(standing) if self._is_denied(digest, self._clock()) else standing

    def _renewal(self, digest: bytes, held: Standing, now: float) -> Renewal:
        since = min(now, held.until) - _MARGIN_S
        return Renewal(digest, held.mark, since, now + self._cached_s)

    def _is_denied(self, digest: bytes, now: float) -> bool:
        """Whether the secret of this SHA-256 is refused, whatever key it may be."""
        return self.denials.credential((name_of_digest(digest),), now) is not None

    async def named(self, name: Name, now: float) -> Standing:
        """Return how an identity stands that is known by its name, looking it up if need be."""
        if not self.is_current():
            return UNAVAILABLE
        digest = _place_of_name(name)
        standing = self._known.get(digest)
        if standing is not None and now < standing.until:
            return standing
        until = self._unknown.get(digest)
        if until is not None and now < until:
            return UNKNOWN
        question = Question(digest, Credential(name.hash), name.kind.value, NAMED, name.text)
        return await self._asked(digest, question)

    async def _asked(self, digest: bytes, question: Question | Renewal | None) -> Standing:
        flight = self._flights.get(digest)
        if flight is None:
            assert question is not None
            if len(self._flights) >= _MAX_FLIGHTS:
                return UNAVAILABLE
            flight = self._await(digest)
            if isinstance(question, Renewal):
                self._reader.renew(question, at_once=True)
            else:
                self._reader.ask(question)
        waiter: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        flight.waiters.append(waiter)
        return await waiter

    def _await(self, digest: bytes) -> _Flight:
        """Let whoever wants this key wait for the answer that is asked for now."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._patience_s, self._land, digest, UNAVAILABLE)
        flight = self._flights[digest] = _Flight(timer, [])
        return flight

    def stop(self) -> None:
        """End the threads that read and write."""
        self._reader.stop()
        self.ledger.stop()

    def _peppered(self, secret: bytes) -> Standing | None:
        for pepper in self._peppers.values():
            standing = self._known.get(hmac_digest(pepper, secret, "sha256"))
            if standing is not None:
                return standing
        return None

    def _take(self, news: News) -> None:
        """Bring what is held up to date; changes first, then the look-ups made after them."""
        try:
            self._take_in(news)
        finally:
            self._taken += 1

    def _take_in(self, news: News) -> None:
        for digest in news.unanswered:
            self._land(digest, UNAVAILABLE)
        if news.away:
            return
        now = self._clock()
        if news.everything:
            self._known.clear()
            self._unknown.clear()
        if news.denials is not None:
            self.denials = news.denials
        if news.new_keys:
            self._unknown.clear()
        for grants in news.changed:
            self._change(grants, now)
        for answer in news.answers:
            self._land(answer.digest, self._fill(answer, now))
        self._go_on(news.same)
        self._heard_ns = news.heard_ns
        if self._ready is not None:
            self._ready.set()

    def _change(self, grants: Grants, now: float) -> None:
        key = grants.key
        self.ledger.learn(grants)
        if key.pepper_id not in (SHA256, NAMED):
            # Unknown credentials are held by their SHA-256, which this key does not tell.
            self._unknown.clear()
        place = _place(key)
        if place is None:
            return
        self._unknown.drop(place)
        if place in self._known:
            self._known.put(place, self._standing(grants, now))

    def _go_on(self, same: Sequence[Renewal]) -> None:
        """Hold keys longer whose rows are what they were, but those of which newer is known."""
        # One number for all: each would take as much memory as the key's mark.
        until = min((renewal.until for renewal in same), default=0.0)
        for renewal in same:
            digest, standing = renewal.digest, self._known.get(renewal.digest)
            if standing is not None and standing.mark == renewal.mark:
                standing = Standing(standing.key_id, standing.grant, until, standing.mark)
                self._known.put(digest, standing)
            if standing is not None:
                self._land(digest, standing)
            elif digest in self._flights:
                # Forgotten meanwhile: who waits for it has it looked up.
                self._reader.ask(Question(digest, Credential(digest.hex())))

    def _fill(self, answer: Answer, now: float) -> Standing:
        digest, grants, mark = answer
        place = _place(grants.key) if grants is not None else None
        if grants is None or place is None:
            self._known.drop(digest)
            self._unknown.put(digest, now + self._cached_s)
            return UNKNOWN
        # Looked up for a request, or because one lately came whose key is held no longer.
        self.ledger.used(grants.key)
        self.ledger.learn(grants)
        standing = self._standing(grants, now, mark if place == digest else 0)
        self._known.put(place, standing)
        return standing

    def _standing(self, grants: Grants, now: float, mark: int = 0) -> Standing:
        """Return how the key stands; what it has in common with others is held once."""
        standing = standing_of(grants, now, self._cached_s)
        if len(self._grants) > _MAX_GRANTS:
            self._grants.clear()
        grant = self._grants.setdefault(standing.grant, standing.grant)
        if standing.until == self._latest_until:
            return Standing(standing.key_id, grant, self._latest_until, mark)
        self._latest_until = standing.until
        return Standing(standing.key_id, grant, standing.until, mark)

    def _land(self, digest: bytes, standing: Standing) -> None:
        flight = self._flights.pop(digest, None)
        if flight is None:
            return
        flight.timer.cancel()
        for waiter in flight.waiters:
            if not waiter.done():
                waiter.set_result(standing)


def _denied(standing: Standing | None) -> Standing:
    """Return how a key stands whose secret is on the deny list; one that ended stays ended."""
    if standing is None or not standing.key_id:
        return DENIED
    if standing.grant.fault:
        return standing
    return Standing(standing.key_id, DENIED.grant, standing.until)


def _place(key: Key) -> bytes | None:
    """Return under which bytes an identity is held; None for keys without a secret.

    Names have a place of their own: no secret can be made that falls upon one.
    """
    if key.kind == Kind.OAUTH_CLIENT:
        return _place_of_name(Name(Kind.OAUTH_CLIENT, key.public_id))
    if key.pepper_id == NAMED:
        return b"n" + bytes.fromhex(key.hash)
    return None if key.pepper_id == PUBLIC_ID else bytes.fromhex(key.hash)


def _place_of_name(name: Name) -> bytes:
    return b"n" + bytes.fromhex(name.hash)
