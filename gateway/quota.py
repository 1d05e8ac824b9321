"""The headers that tell a client what is left of its limit."""

from functools import lru_cache
from math import ceil

from gateway.extract import Header
from gateway.limits import Allowance, Limit


def headers_of(allowance: Allowance, now: float) -> tuple[Header, ...]:
    """Return the headers that tell a client its limit.

    `X-RateLimit-*` as GitHub and others send them (reset in epoch seconds), `RateLimit` and
    `RateLimit-Policy` after draft-ietf-httpapi-ratelimit-headers-11, `Retry-After` (RFC 9110)
    on a refusal.

    Args:
        allowance: what the limit said.
        now: epoch seconds.
    """
    limit, policy, quota = _constant(allowance.limit)
    remaining, reset_s = allowance.remaining, allowance.reset_s
    said = (
        limit,
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % ceil(now + reset_s)),
        (b"ratelimit", quota % (remaining, ceil(reset_s))),
        policy,
    )
    return said if allowance.allowed else (*said, retry_after(allowance.retry_s))


def lines_of(allowance: Allowance, now: float) -> bytes:
    """Return the same headers of a request that may pass, as HTTP/1.1 writes them."""
    remaining, reset_s = allowance.remaining, allowance.reset_s
    return _lines(allowance.limit) % (remaining, ceil(now + reset_s), remaining, ceil(reset_s))


def retry_after(wait_s: float) -> Header:
    """Return the header that says when to come again: whole seconds, never too early."""
    return b"retry-after", b"%d" % max(1, ceil(wait_s))


@lru_cache(maxsize=4096)
def _constant(limit: Limit) -> tuple[Header, Header, bytes]:
    """Return what is always the same: two headers, and the pattern of the third."""
    name = limit.name.encode("ascii", "replace").replace(b'"', b"").replace(b"%", b"")
    policy = b'"%s";q=%d;w=%d' % (name, limit.amount, limit.window_s)
    return (
        (b"x-ratelimit-limit", b"%d" % limit.amount),
        (b"ratelimit-policy", policy),
        b'"%s";r=%%d;t=%%d' % name,
    )


@lru_cache(maxsize=4096)
def _lines(limit: Limit) -> bytes:
    """Return the pattern of all: the limit itself stands in it."""
    amount, policy, quota = _constant(limit)
    patterns = (
        amount,
        (b"x-ratelimit-remaining", b"%d"),
        (b"x-ratelimit-reset", b"%d"),
        (b"ratelimit", quota),
        policy,
    )
    return b"".join([b"%b: %b\r\n" % header for header in patterns])
