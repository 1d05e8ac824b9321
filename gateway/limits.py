"""Rate limits: the generic cell rate algorithm, exact, in integers.

GCRA is a token bucket that remembers one number a bucket: the theoretical arrival time (TAT) of
the next request that would find the bucket full (ITU-T I.371, annex A). Times are multiplied by
the number of requests a window allows, so that no division and no rounding occurs.
"""

import re
from collections.abc import Sequence
from math import gcd

import msgspec

from vocabulary.errors import ConfigError

_SECOND = 1_000_000_000
_SWEEP_AT = 100_000
_MOST = 2_000_000

_WINDOWS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{0,5})(s|min|h|d)(?::([0-9]{1,9}))?")

LEVELS = ("key", "account", "plan", "endpoint", "ip", "global")
"""What a limit may be counted for."""


class Limit(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """At most `amount` requests in `window_s` seconds, `burst` of them at once.

    Attributes:
        name: the policy's name in the RateLimit headers.
        amount: requests a window; 0 refuses all.
        window_s: seconds, whole.
        burst: requests that may come at once; 0 for a window's worth.
        level: one of `LEVELS`; limits of different levels never share a bucket.
    """

    name: str
    amount: int
    window_s: int = 60
    burst: int = 0
    level: str = "key"

    @property
    def depth(self) -> int:
        """Return the tokens that the full bucket holds."""
        return self.burst or self.amount


def limit_of(text: str, level: str = "key") -> Limit:
    """Read a limit as people write it: `600/min`, `20/s`, `1000/10min:50` (50 at once).

    Raises:
        ConfigError: when it is written otherwise.
    """
    found = _WRITTEN.fullmatch(text.replace(" ", ""))
    if found is None or found[2] == "0":
        raise ConfigError(
            "this is no limit", where=repr(text), remedy="write it like 600/min or 20/s:5"
        )
    amount, number, unit, burst = found.groups()
    window_s = int(number or 1) * _WINDOWS_S[unit]
    name = f"{number}{unit}" if level == "key" else f"{level}-{number}{unit}"
    return Limit(name, int(amount), window_s, int(burst or 0), level)


Claim = tuple[Limit, str]
"""A limit and whom it counts: a key's id, an address, an endpoint, …"""


class Allowance(msgspec.Struct, frozen=True, gc=False):
    """What the tightest of the limits says after a request.

    Attributes:
        allowed: whether the request may pass.
        limit: the limit that is nearest to its end, or that refused.
        remaining: requests that may still come at once.
        reset_s: seconds until the bucket is full again.
        retry_s: seconds until the next request may pass; 0 when this one did.
    """

    allowed: bool
    limit: Limit
    remaining: int
    reset_s: float
    retry_s: float


def tighter(one: Allowance | None, other: Allowance | None) -> Allowance | None:
    """Return what says more of two that were allowed, or the one that was not."""
    if one is None or other is None:
        return one or other
    if not one.allowed:
        return one
    is_tighter = (other.remaining, -other.reset_s) < (one.remaining, -one.reset_s)
    return other if is_tighter else one


class _Shelf:
    """The buckets of one limit, and its numbers as the algorithm needs them."""

    __slots__ = ("amount", "depth", "limit", "step", "tats", "unit")

    def __init__(self, limit: Limit) -> None:
        step = limit.window_s * _SECOND
        # What amount and step have in common says nothing: small integers are quicker.
        common = gcd(limit.amount, step) if limit.amount else 1
        self.limit, self.amount = limit, limit.amount // common
        self.step = step // common
        self.depth = limit.depth * self.step
        self.unit = self.amount * _SECOND
        self.tats: dict[str, int] = {}


class Buckets:
    """The buckets of all subjects; one thread.

    Args:
        sweep_at: number of a limit's buckets at which those that are full again are forgotten,
            which changes nothing: a bucket that is not there is full.
        most: number of a limit's buckets beyond which half are forgotten, those that are nearest
            to being full first: addresses that somebody invents must not fill memory.
    """

    def __init__(self, sweep_at: int = _SWEEP_AT, most: int = _MOST) -> None:
        self._shelves: dict[Limit, _Shelf] = {}
        self._most = most
        self._sweep_at = self._floor = sweep_at

    def __len__(self) -> int:
        return sum(len(shelf.tats) for shelf in self._shelves.values())

    def take(  # noqa: C901  (on every request)
        self,
        claims: Sequence[Claim],
        now_ns: int,
        *,
        since_ns: int = 0,
        only_look: bool = False,
    ) -> Allowance | None:
        """Take one token from each bucket, or none from any.

        Args:
            claims: all must have a token; no two may name the same bucket.
            now_ns: nanoseconds of a clock that never goes back.
            since_ns: when the tokens were taken elsewhere at the earliest, for one who notes
                down here what was decided there; 0 for now.
            only_look: say what would happen, and take nothing.

        Returns:
            None without claims, else the word of the tightest of the limits: with the fewest
            requests left, or the longest to wait; of equals the one that is full again last.
        """
        if len(claims) == 1 and not since_ns and not only_look:
            return self.take_one(*claims[0], now_ns)
        tightest = refusing = None
        least = longest = -1
        slowest_s = 0.0
        taken = []
        for limit, subject in claims:
            shelf = self._shelves.get(limit) or self._open(limit)
            now = now_ns * shelf.amount
            tat = shelf.tats.get(subject, 0)
            ahead = tat - now if tat > now else 0
            room = shelf.depth - ahead - shelf.step
            if room < 0 or not shelf.amount:
                # Longest wait in whole nanoseconds: no division may decide between two limits.
                wait = -room // shelf.amount if shelf.amount else shelf.step
                if wait >= longest:
                    found = _refused(shelf, ahead, -room)
                    if refusing is None or wait > longest or found.reset_s > refusing.reset_s:
                        refusing, longest = found, wait
            elif refusing is None:
                remaining = room // shelf.step
                if tightest is None or remaining <= least:
                    reset_s = (ahead + shelf.step) / shelf.unit
                    if tightest is None or remaining < least or reset_s > slowest_s:
                        tightest, least, slowest_s = shelf, remaining, reset_s
                since = since_ns * shelf.amount
                start = max(tat, since) if since else now + ahead
                taken.append((shelf.tats, subject, start + shelf.step))
        if refusing is not None:
            return refusing
        if tightest is None:
            return None
        for tats, subject, tat in () if only_look else taken:
            tats[subject] = tat
        # Only now: it puts new dictionaries in the place of those above.
        if any(len(tats) > self._sweep_at for tats, _, _ in taken):
            self._sweep(now_ns)
        return Allowance(True, tightest.limit, least, slowest_s, 0.0)

    def take_one(self, limit: Limit, subject: str, now_ns: int) -> Allowance:
        """Take from one bucket: what `take` does, for what nearly every request claims."""
        shelf = self._shelves.get(limit) or self._open(limit)
        now = now_ns * shelf.amount
        tat = shelf.tats.get(subject, 0)
        ahead = tat - now if tat > now else 0
        after = ahead + shelf.step
        room = shelf.depth - after
        if room < 0 or not shelf.amount:
            return _refused(shelf, ahead, -room)
        shelf.tats[subject] = now + after
        if len(shelf.tats) > self._sweep_at:
            self._sweep(now_ns)
        return Allowance(True, limit, room // shelf.step, after / shelf.unit, 0.0)

    def charge(self, claims: Sequence[Claim], cost: int, now_ns: int) -> None:
        """Take what was spent, whether it was there or not: who owes waits the longer.

        Args:
            claims: whose buckets.
            cost: tokens, 0 or more.
            now_ns: nanoseconds of a clock that never goes back.
        """
        for limit, subject in claims:
            shelf = self._shelves.get(limit) or self._open(limit)
            start = max(shelf.tats.get(subject, 0), now_ns * shelf.amount)
            shelf.tats[subject] = start + cost * shelf.step

    def _open(self, limit: Limit) -> _Shelf:
        shelf = self._shelves[limit] = _Shelf(limit)
        return shelf

    def _sweep(self, now_ns: int) -> None:
        for limit, shelf in list(self._shelves.items()):
            now = now_ns * shelf.amount
            shelf.tats = {subject: tat for subject, tat in shelf.tats.items() if tat > now}
            if not shelf.tats:
                del self._shelves[limit]
            elif len(shelf.tats) > self._most:
                shelf.tats = _fullest_forgotten(shelf.tats, self._most // 2)
        # Twice what is left: the cost of a sweep is paid by as many new buckets.
        largest = max((len(shelf.tats) for shelf in self._shelves.values()), default=0)
        self._sweep_at = max(self._floor, 2 * largest)


def _fullest_forgotten(tats: dict[str, int], keep: int) -> dict[str, int]:
    latest = sorted(tats.items(), key=lambda item: item[1], reverse=True)
    return dict(latest[:keep])


def _refused(shelf: _Shelf, ahead: int, lacking: int) -> Allowance:
    """Return the refusal of a bucket that is `ahead` of now and lacks so much."""
    if not shelf.amount:
        window_s = float(shelf.limit.window_s)
        return Allowance(False, shelf.limit, 0, window_s, window_s)
    return Allowance(False, shelf.limit, 0, ahead / shelf.unit, lacking / shelf.unit)
