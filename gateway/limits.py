"""Rate limits: the generic cell rate algorithm, exact, in integers.

GCRA is a token bucket that remembers one number a bucket: the theoretical arrival time (TAT) of
the next request that would find the bucket full (ITU-T I.371, annex A). Times are multiplied by
the number of requests a window allows, so that no division and no rounding occurs.
"""

import re
from collections.abc import Sequence
from math import ceil

import msgspec

from vocabulary.errors import ConfigError

_SECOND = 1_000_000_000
_SWEEP_AT = 100_000

_WINDOWS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{0,5})(s|min|h|d)(?::([0-9]{1,9}))?")


class Limit(msgspec.Struct, frozen=True, gc=False):
    """At most `amount` requests in `window_s` seconds, `burst` of them at once.

    Attributes:
        name: the policy's name in the RateLimit headers.
        amount: requests a window; 0 refuses all.
        window_s: seconds, whole.
        burst: requests that may come at once; 0 for a window's worth.
    """

    name: str
    amount: int
    window_s: int = 60
    burst: int = 0

    @property
    def depth(self) -> int:
        """Return the tokens that the full bucket holds."""
        return self.burst or self.amount


def limit_of(text: str) -> Limit:
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
    return Limit(
        f"{number}{unit}", int(amount), int(number or 1) * _WINDOWS_S[unit], int(burst or 0)
    )


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


class Buckets:
    """The buckets of all subjects; one thread.

    Args:
        sweep_at: number of a limit's buckets at which those that are full again are forgotten,
            which changes nothing: a bucket that is not there is full.
    """

    def __init__(self, sweep_at: int = _SWEEP_AT) -> None:
        self._tats: dict[Limit, dict[str, int]] = {}
        self._sweep_at = self._floor = sweep_at

    def __len__(self) -> int:
        return sum(map(len, self._tats.values()))

    def take(self, subject: str, limits: Sequence[Limit], now_ns: int) -> Allowance | None:
        """Take one token from each of the subject's buckets, or none from any.

        Args:
            subject: whose buckets, such as a key's id.
            limits: all must have a token.
            now_ns: nanoseconds of a clock that never goes back.

        Returns:
            None without limits, else the word of the tightest of them.
        """
        tightest: Allowance | None = None
        taken = []
        for limit in limits:
            tats = self._tats.get(limit)
            if tats is None:
                tats = self._tats[limit] = {}
            tat, allowance = _next(limit, tats.get(subject, 0), now_ns)
            if tightest is None or _is_tighter(allowance, tightest):
                tightest = allowance
            taken.append((tats, tat))
        if tightest is not None and tightest.allowed:
            for tats, tat in taken:
                tats[subject] = tat
            # Only now: it puts new dictionaries in the place of those above.
            if any(len(tats) > self._sweep_at for tats, _ in taken):
                self._sweep(now_ns)
        return tightest

    def _sweep(self, now_ns: int) -> None:
        for limit, tats in list(self._tats.items()):
            now = now_ns * limit.amount
            left = {subject: tat for subject, tat in tats.items() if tat > now}
            if left:
                self._tats[limit] = left
            else:
                del self._tats[limit]
        # Twice what is left: the cost of a sweep is paid by as many new buckets.
        self._sweep_at = max(self._floor, 2 * max(map(len, self._tats.values()), default=0))


def _is_tighter(one: Allowance, other: Allowance) -> bool:
    if one.allowed and other.allowed:
        return one.remaining < other.remaining
    return one.retry_s > other.retry_s


def _next(limit: Limit, tat: int, now_ns: int) -> tuple[int, Allowance]:
    """Return the new TAT if the request passes, and what the limit says of it."""
    amount, step = limit.amount, limit.window_s * _SECOND
    if amount <= 0:
        return tat, Allowance(
            allowed=False, limit=limit, remaining=0, reset_s=limit.window_s, retry_s=limit.window_s
        )
    now = now_ns * amount
    depth = limit.depth * step
    after = max(tat, now) + step
    if after - now > depth:
        wait_s = (after - depth - now) / (amount * _SECOND)
        full_s = (tat - now) / (amount * _SECOND)
        return tat, Allowance(
            allowed=False, limit=limit, remaining=0, reset_s=full_s, retry_s=wait_s
        )
    return after, Allowance(
        allowed=True,
        limit=limit,
        remaining=(depth - (after - now)) // step,
        reset_s=(after - now) / (amount * _SECOND),
        retry_s=0.0,
    )


def headers_of(allowance: Allowance, now: float) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell a client its limit.

    `X-RateLimit-*` as GitHub and others send them (reset in epoch seconds), `RateLimit` and
    `RateLimit-Policy` after draft-ietf-httpapi-ratelimit-headers-10, `Retry-After` (RFC 9110)
    on a refusal.

    Args:
        allowance: what the limit said.
        now: epoch seconds.
    """
    limit, reset_s = allowance.limit, ceil(allowance.reset_s)
    said = [
        (b"x-ratelimit-limit", b"%d" % limit.amount),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", b"%d" % ceil(now + allowance.reset_s)),
        (b"ratelimit", b'"%s";r=%d;t=%d' % (limit.name.encode(), allowance.remaining, reset_s)),
        (
            b"ratelimit-policy",
            b'"%s";q=%d;w=%d' % (limit.name.encode(), limit.amount, limit.window_s),
        ),
    ]
    if not allowance.allowed:
        said.append((b"retry-after", b"%d" % max(1, ceil(allowance.retry_s))))
    return said
