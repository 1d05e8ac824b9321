"""What the gateway holds of a key: the answer it gets, and until when that is true.

Which state a key is in is told by `keystore.keys` alone; here it becomes status and headers.
"""

from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

import msgspec

from gateway.extract import Header
from gateway.limits import Claim, Limit, limit_of
from keystore.grants import Grants
from keystore.keys import DAY_S, Key, KeyState
from keystore.spending import WINDOWS_S

NOTICE_S = 30 * DAY_S
"""From so long before its end on, a key is announced as deprecated."""

_FAULTS = {KeyState.REVOKED: "api_key_revoked", KeyState.EXPIRED: "api_key_expired"}

_THROTTLE_BURST_S = 10
"""A throttled key may use so many seconds' worth at once: a minute's worth would let a thief go
on unhindered at first."""


class Grant(msgspec.Struct, frozen=True, gc=False):
    """What many keys have in common: it is held once for all of them.

    Attributes:
        fault: empty, or the code of the refusal.
        headers: what every answer to such a key carries.
        environment: the key's.
        throttle: the limit that the key store set.
        limits: of each key; None for the gateway's own.
        shared: limits of the account and the plan, with whom they count.
        account: id of the account, empty for none.
        scopes: what the key may do; see `Endpoint.scopes`.
        networks: CIDR blocks from which it may be used; none for anywhere.
        endpoints: patterns of what it may call; none for all.
        requires: what must come with it: "token", "certificate".
        models: patterns of AI models that it may ask; none for all.
        budgets: AI tokens that it may spend, by the minute, day and month.
        is_plain: whether nothing but the gateway's own limits holds it back; follows from the rest.
        told: the header that tells the application the environment; likewise.
        lines: `told` and `headers` as HTTP/1.1 writes them; likewise.
    """

    fault: str = ""
    headers: tuple[Header, ...] = ()
    environment: str = ""
    throttle: Limit | None = None
    limits: tuple[Limit, ...] | None = None
    shared: tuple[Claim, ...] = ()
    account: str = ""
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    budgets: tuple[Limit, ...] = ()
    is_plain: bool = False
    told: Header = (b"x-api-key-environment", b"")
    lines: bytes = b""

    def __post_init__(self) -> None:
        """Find out once, for many keys and requests, what is asked of each."""
        held_back = self.fault or self.throttle or self.limits is not None or self.shared
        plain = not (held_back or self.budgets or self.is_narrow)
        msgspec.structs.force_setattr(self, "is_plain", plain)
        told = (b"x-api-key-environment", self.environment.encode())
        msgspec.structs.force_setattr(self, "told", told)
        lines = b"".join([b"%b: %b\r\n" % header for header in (told, *self.headers)])
        msgspec.structs.force_setattr(self, "lines", lines)

    @property
    def is_narrow(self) -> bool:
        """Whether where it is used, for what, or what comes with it matters."""
        return bool(self.networks or self.endpoints or self.requires or self.models)


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How a key stands.

    Attributes:
        key_id: empty for a credential that is not known.
        grant: what it may do.
        until: epoch seconds at which this must be found out anew.
        mark: by which it is known to be as it was; 0 for never. See `gateway.renewal`.
    """

    key_id: str
    grant: Grant
    until: float = 0.0
    mark: int = 0


NOBODY = Standing("", Grant())
UNKNOWN = Standing("", Grant("api_key_not_found"))
DENIED = Standing("", Grant("credential_denied"))
UNAVAILABLE = Standing("", Grant("key_store_unavailable"))


def standing_of(grants: Grants, now: float, cached_s: float) -> Standing:
    """Tell how a key stands at `now`.

    Args:
        grants: the key as the key store has it, with its account and plan.
        now: epoch seconds.
        cached_s: the longest time that this may be held.
    """
    key, account = grants.key, grants.account
    state = key.effective_state(now)
    is_suspended = grants.is_suspended(now)
    grant = Grant(
        fault=_FAULTS.get(state, "api_key_suspended" if is_suspended else ""),
        headers=_headers(key, state, now),
        environment=key.environment,
        throttle=throttle(key.throttle_per_min) if key.is_throttled(now) else None,
        limits=_limits(grants.limits, "key") or None,
        shared=_shared(grants, now),
        account=account.id if account else key.account_id or "",
        scopes=key.scopes,
        networks=key.networks,
        endpoints=key.endpoints,
        requires=key.requires,
        models=key.models,
        budgets=_budgets(grants),
    )
    return Standing(key.id, grant, _until(grants, now, cached_s))


def _budgets(grants: Grants) -> tuple[Limit, ...]:
    return tuple(
        Limit(_BUDGETS[window_s], amount, window_s, level="tokens")
        for window_s, amount in grants.budgets
    )


_BUDGETS = dict(zip(WINDOWS_S, ("tokens-min", "tokens-d", "tokens-month"), strict=True))
"""Seconds of a window → what its budget is called in headers."""


def _shared(grants: Grants, now: float) -> tuple[Claim, ...]:
    """Return what many keys are counted for together, and under which name."""
    account, plan = grants.account, grants.plan
    claims: list[Claim] = []
    if account is not None:
        claims += [(limit, account.id) for limit in _limits(grants.account_limits, "account")]
        if account.is_throttled(now):
            claims.append((throttle(account.throttle_per_min, "account"), account.id))
    if plan is not None:
        claims += [(limit, plan.id) for limit in _limits(grants.plan_limits, "plan")]
    return tuple(claims)


@lru_cache(maxsize=1024)
def _limits(texts: tuple[str, ...], level: str) -> tuple[Limit, ...]:
    return tuple(limit_of(text, level) for text in texts)


def throttle(per_min: int | None, level: str = "key") -> Limit:
    """Return the limit of what was slowed down to so many requests a minute."""
    amount = per_min or 0
    name = "throttle" if level == "key" else f"{level}-throttle"
    return Limit(name, amount, 60, max(1, amount * _THROTTLE_BURST_S // 60), level)


def _until(grants: Grants, now: float, cached_s: float) -> float:
    """Return the first moment after `now` at which the key may stand otherwise by itself."""
    key, account = grants.key, grants.account
    ends = [key.expires_at, key.grace_until, key.throttle_until, key.suspended_until]
    if key.expires_at is not None:
        ends.append(key.expires_at - NOTICE_S)
    if account is not None:
        ends += [account.throttle_until, account.suspended_until]
    return min([now + cached_s, *(end for end in ends if end is not None and end > now)])


_STATUS = {state: ((b"x-key-status", state.value.encode()),) for state in KeyState}
_LIVING = frozenset({KeyState.ACTIVE, KeyState.DEPRECATED})


def _headers(key: Key, state: KeyState, now: float) -> tuple[Header, ...]:
    """Return the key's status and, when it will end soon, when.

    `Deprecation` after RFC 9745, `Sunset` after RFC 8594.
    """
    end = _announced_end(key, state, now)
    if end is None:
        return _STATUS[state]
    return (
        *_STATUS[KeyState.DEPRECATED],
        (b"x-key-expires-at", datetime.fromtimestamp(end, UTC).isoformat().encode()),
        (b"deprecation", b"@%d" % _deprecated_since(key, end, now)),
        (b"sunset", formatdate(end, usegmt=True).encode()),
    )


def _announced_end(key: Key, state: KeyState, now: float) -> float | None:
    if state not in _LIVING:
        return None
    ends = [key.expires_at] if key.expires_at is not None else []
    if state == KeyState.DEPRECATED and key.grace_until is not None:
        ends.append(key.grace_until)
    end = min(ends, default=None)
    soon = end is not None and (state == KeyState.DEPRECATED or end - now <= NOTICE_S)
    return end if soon else None


def _deprecated_since(key: Key, end: float, now: float) -> float:
    """Return the moment of deprecation: when somebody said so, or `NOTICE_S` before the end."""
    if key.deprecated_at is not None and key.state == KeyState.DEPRECATED:
        return key.deprecated_at
    return max(key.created_at, min(now, end - NOTICE_S))
