"""Deny lists: genuine tokens and certificates that are refused all the same.

What no key store knows has a name, too: what the gateway's log calls it. By that name a secret
that was found somewhere is refused wherever it comes from later, and whoever is let in without
being registered is refused or slowed down.

A connection must come from `transaction`. All verbs take `actor` and `reason` for the audit log
and `now`, epoch seconds.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec
from sqlalchemy import Connection, delete, insert, or_, select, update

from database.schema import denials
from database.transaction import in_commit_order
from keystore import audit, feed, unregistered
from keystore.audit import storable
from vocabulary.errors import KeyStoreError, UsageError
from vocabulary.moments import LATEST

_FINGERPRINT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SERIAL = re.compile(r"[0-9a-f]{1,40}")
_LONGEST, _FASTEST = 2048, 1_000_000_000


class Denied(StrEnum):
    """By what something is refused."""

    JTI = "jti"
    SUBJECT = "subject"
    ISSUER = "issuer"
    FINGERPRINT = "fingerprint"
    SERIAL = "serial"
    NAME = "name"
    CREDENTIAL = "credential"
    PACE = "pace"


_BY_NAME = (Denied.CREDENTIAL, Denied.PACE)
_BY_TIME = (Denied.SUBJECT, Denied.ISSUER, Denied.NAME, Denied.CREDENTIAL)


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table `denials`; times are epoch seconds.

    Attributes:
        kind: see `Denied`.
        issuer: a token's `iss`, for serials the CA's name; empty for any.
        value: the token's id or subject, the certificate's fingerprint or serial (hex, lower
            case), a name of certificates as `certificate_names` writes it, or for `credential`
            and `pace` what logs call it: see `keystore.unregistered`; for `issuer` empty.
        issued_before: only tokens that were issued, and certificates of the name that begin,
            before it, and those that do not say when; None for all.
        until: after it the denial is forgotten; None for never.
        per_min: requests a minute that a `pace` lets through; None for every other kind.
    """

    id: int = 0
    kind: str
    issuer: str = ""
    value: str = ""
    issued_before: float | None = None
    until: float | None = None
    per_min: int | None = None
    actor: str = ""
    reason: str = ""
    created_at: float = 0.0


class DenyList:
    """Every denial of one moment, asked in memory.

    Args:
        denials: from `snapshot`.
    """

    def __init__(self, denials: Iterable[Denial] = ()) -> None:
        self._found = {(each.kind, each.issuer, each.value): each for each in denials}
        self.refuses_by_name = any(kind == Denied.CREDENTIAL for kind, _, _ in self._found)
        """Whether anything is refused by what logs call it: most often nothing is."""

    def __len__(self) -> int:
        return len(self._found)

    def token(
        self, issuer: str, subject: str, jti: str, issued_at: float | None, now: float
    ) -> Denial | None:
        """Return what refuses a token, None when nothing does.

        Args:
            issuer: its `iss`.
            subject: its `sub`; empty for none.
            jti: its `jti`; empty for none.
            issued_at: its `iat`, epoch seconds; None when it does not say.
            now: epoch seconds.
        """
        asked = [(Denied.ISSUER, "")]
        asked += [(Denied.SUBJECT, subject)] if subject else []
        asked += [(Denied.JTI, jti)] if jti else []
        for kind, value in asked:
            for place in (issuer, ""):
                found = self._found.get((kind, place, value))
                if found and _holds(found, now) and _is_older(found, issued_at):
                    return found
        return None

    def certificate(
        self,
        fingerprints: Iterable[str],
        issuer: str,
        serial: str,
        now: float,
        names: Iterable[str] = (),
        begins: float | None = None,
    ) -> Denial | None:
        """Return what refuses a certificate, None when nothing does.

        Args:
            fingerprints: of the certificate and its twin, SHA-256 and where known SHA-1, hex.
            issuer: the CA's name as the deny list has it.
            serial: hex.
            now: epoch seconds.
            names: by which the key store may know it.
            begins: from when on it is good, epoch seconds; None when not known.
        """
        asked = [(Denied.FINGERPRINT, "", _hex(each)) for each in fingerprints]
        if serial:
            asked += [(Denied.SERIAL, place, _serial(serial)) for place in (issuer, "")]
        asked += [(Denied.NAME, "", name) for name in names]
        for question in asked:
            found = self._found.get(question)
            if found and _holds(found, now) and _is_older(found, begins):
                return found
        return None

    def credential(
        self, names: Iterable[str], now: float, issued_at: float | None = None
    ) -> Denial | None:
        """Return what refuses somebody by a name that logs have for them, None when nothing does.

        Args:
            names: such as `credential:0123456789abcdef`.
            now: epoch seconds.
            issued_at: when what is shown was issued, epoch seconds; None when not known.
        """
        for name in names if self.refuses_by_name else ():
            found = self._found.get((Denied.CREDENTIAL, "", name))
            if found and _holds(found, now) and _is_older(found, issued_at):
                return found
        return None

    def pace(self, names: Iterable[str], now: float) -> Denial | None:
        """Return what slows somebody down that is not registered, the slowest; see `credential`."""
        found = [self._found.get((Denied.PACE, "", name)) for name in names]
        held = [each for each in found if each and _holds(each, now)]
        return min(held, key=lambda each: each.per_min or 0, default=None)


def deny(connection: Connection, wanted: Denial, *, actor: str, reason: str, now: float) -> Denial:
    """Refuse something from now on; one that is refused already is never refused less.

    Raises:
        UsageError: when what is to be refused is not said well.
    """
    in_commit_order(connection)
    new = _checked(wanted, actor, reason, now)
    before = same(connection, new)
    if before is None:
        values = msgspec.structs.asdict(new)
        values.pop("id")
        result = connection.execute(insert(denials).returning(denials.c.id), [values])
        new = msgspec.structs.replace(new, id=result.scalar_one())
        return _told(connection, new, "deny", (actor, reason, now))
    if not _holds(before, now):
        before = msgspec.structs.replace(new, id=before.id)
        widened = before
    else:
        widened = msgspec.structs.replace(
            before,
            issued_before=_later(before.issued_before, new.issued_before),
            until=_later(before.until, new.until),
            per_min=_slower(before.per_min, new.per_min),
        )
        if widened == before:
            return before
    values = msgspec.structs.asdict(widened)
    connection.execute(update(denials).where(denials.c.id == before.id).values(values))
    return _told(connection, widened, "deny", (actor, reason, now))


def same(connection: Connection, wanted: Denial) -> Denial | None:
    """Return the denial of the same thing that there is, even one that is over."""
    like = [denials.c[name] == getattr(wanted, name) for name in ("kind", "issuer", "value")]
    row = connection.execute(select(denials).where(*like)).mappings().first()
    return Denial(**row) if row else None


def allow(connection: Connection, denial_id: int, *, actor: str, reason: str, now: float) -> Denial:
    """Take a denial back.

    Raises:
        KeyStoreError: when there is none of this number.
    """
    in_commit_order(connection)
    row = connection.execute(select(denials).where(denials.c.id == denial_id)).mappings().first()
    if row is None:
        raise KeyStoreError(
            f"there is no denial {denial_id}", remedy="see `keywatch identities denied`"
        )
    connection.execute(delete(denials).where(denials.c.id == denial_id))
    found = Denial(**row)
    return _told(connection, found, "allow", (actor, reason, now))


def withdraw(
    connection: Connection,
    made: Denial,
    before: Denial | None,
    *,
    actor: str,
    reason: str,
    now: float,
) -> bool:
    """Put back what there was before a `deny`; say whether that was done.

    What somebody else has denied since stays.

    Args:
        connection: a write transaction.
        made: what `deny` returned.
        before: what `same` had returned before it.
        actor: who does it.
        reason: why.
        now: epoch seconds.
    """
    found = same(connection, made)
    if found is None or _told_apart(found) != _told_apart(made):
        return False
    allow(connection, found.id, actor=actor, reason=reason, now=now)
    if before and _holds(before, now):
        deny(connection, before, actor=actor, reason=reason, now=now)
    return True


def snapshot(connection: Connection, now: float) -> list[Denial]:
    """Return every denial that holds at `now`, the oldest first.

    A change of any is told by the feed as `feed.DENIALS`.
    """
    holding = or_(denials.c.until.is_(None), denials.c.until > now)
    query = select(denials).where(holding).order_by(denials.c.id)
    return [Denial(**row) for row in connection.execute(query).mappings()]


def _checked(wanted: Denial, actor: str, reason: str, now: float) -> Denial:
    if wanted.kind not in {*Denied}:
        raise UsageError(f"nothing is refused by {wanted.kind!r}", remedy=", ".join(Denied))
    for end in (wanted.issued_before, wanted.until):
        if end is not None and not 0 < end <= LATEST:
            raise UsageError("the time is out of range")
    if wanted.until is not None and wanted.until <= now:
        raise UsageError("the end does not lie in the future", remedy="name a later time")
    if (wanted.kind == Denied.PACE) != (wanted.per_min is not None):
        raise UsageError(
            "a pace, and nothing else, has a number of requests a minute",
            remedy="name it with --per-min, of a pace alone",
        )
    if wanted.per_min is not None and not 0 <= wanted.per_min <= _FASTEST:
        raise UsageError("the number of requests a minute is out of range")
    return msgspec.structs.replace(
        wanted,
        id=0,
        issuer="" if wanted.kind in _BY_NAME else storable(wanted.issuer),
        value=_value(wanted),
        issued_before=wanted.issued_before if wanted.kind in _BY_TIME else None,
        actor=storable(actor),
        reason=storable(reason),
        created_at=now,
    )


def _value(wanted: Denial) -> str:
    """Return what is refused, written as it is looked for."""
    value = storable(wanted.value)
    if wanted.kind == Denied.ISSUER:
        return ""
    if wanted.kind == Denied.FINGERPRINT:
        return _matching(_hex(value), _FINGERPRINT, "a fingerprint is 64 hex digits, or 40")
    if wanted.kind == Denied.SERIAL:
        return _matching(_serial(value), _SERIAL, "a serial is at most 40 hex digits")
    if wanted.kind in _BY_NAME:
        return unregistered.name_of(value)
    if not value or len(value) > _LONGEST:
        raise UsageError(f"a {wanted.kind} has 1 to {_LONGEST} characters")
    return value


def _told(connection: Connection, denial: Denial, verb: str, act: tuple[str, str, float]) -> Denial:
    actor, reason, now = act
    feed.record(connection, [feed.DENIALS], now)
    names = ("issuer", "issued_before", "until", "per_min")
    details = {name: value for name in names if (value := getattr(denial, name)) not in (None, "")}
    # Under the name that alerts and actions have for it, where there is one.
    subject = denial.value if denial.kind in _BY_NAME else f"{denial.kind}:{denial.value}"
    audit.append(connection, [audit.Entry(now, actor, verb, subject, reason, details)])
    return denial


def _matching(text: str, form: re.Pattern[str], advice: str) -> str:
    if not form.fullmatch(text):
        raise UsageError(f"{text[:80]!r} is not written right", remedy=advice)
    return text


def _hex(text: str) -> str:
    return text.strip().lower().removeprefix("sha256:").replace(":", "")


def _serial(text: str) -> str:
    return _hex(text).removeprefix("0x").lstrip("0") or "0"


def _holds(denial: Denial, now: float) -> bool:
    return denial.until is None or now < denial.until


def _is_older(denial: Denial, issued_at: float | None) -> bool:
    before = denial.issued_before
    return before is None or issued_at is None or issued_at < before


def _later(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)


def _slower(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else min(one, other)


def _told_apart(denial: Denial) -> tuple[object, ...]:
    """Return by what a denial is told from what somebody else made of it."""
    return denial.id, denial.issued_before, denial.until, denial.per_min
