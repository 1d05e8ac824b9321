"""Deny lists: genuine tokens and certificates that are refused all the same.

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
from keystore import audit, feed
from keystore.audit import storable
from vocabulary.errors import KeyStoreError, UsageError
from vocabulary.moments import LATEST

_FINGERPRINT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SERIAL = re.compile(r"[0-9a-f]{1,40}")
_LONGEST = 2048


class Denied(StrEnum):
    """By what something is refused."""

    JTI = "jti"
    SUBJECT = "subject"
    ISSUER = "issuer"
    FINGERPRINT = "fingerprint"
    SERIAL = "serial"
    NAME = "name"


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table `denials`; times are epoch seconds.

    Attributes:
        kind: see `Denied`.
        issuer: a token's `iss`, for serials the CA's name; empty for any.
        value: the token's id or subject, the certificate's fingerprint or serial (hex, lower
            case), or a name of certificates as `certificate_names` writes it; for `issuer` empty.
        issued_before: only tokens that were issued, and certificates of the name that begin,
            before it, and those that do not say when; None for all.
        until: after it the denial is forgotten; None for never.
    """

    id: int = 0
    kind: str
    issuer: str = ""
    value: str = ""
    issued_before: float | None = None
    until: float | None = None
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
            fingerprints: of the certificate, SHA-256 and where known SHA-1, hex.
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
    value = storable(wanted.value)
    if wanted.kind == Denied.ISSUER:
        value = ""
    elif wanted.kind == Denied.FINGERPRINT:
        value = _matching(_hex(value), _FINGERPRINT, "a fingerprint is 64 hex digits, or 40")
    elif wanted.kind == Denied.SERIAL:
        value = _matching(_serial(value), _SERIAL, "a serial is at most 40 hex digits")
    elif not value or len(value) > _LONGEST:
        raise UsageError(f"a {wanted.kind} has 1 to {_LONGEST} characters")
    for end in (wanted.issued_before, wanted.until):
        if end is not None and not 0 < end <= LATEST:
            raise UsageError("the time is out of range")
    if wanted.until is not None and wanted.until <= now:
        raise UsageError("the end does not lie in the future", remedy="name a later time")
    by_time = wanted.kind in (Denied.SUBJECT, Denied.ISSUER, Denied.NAME)
    return msgspec.structs.replace(
        wanted,
        id=0,
        issuer=storable(wanted.issuer),
        value=value,
        issued_before=wanted.issued_before if by_time else None,
        actor=storable(actor),
        reason=storable(reason),
        created_at=now,
    )


def _told(connection: Connection, denial: Denial, verb: str, act: tuple[str, str, float]) -> Denial:
    actor, reason, now = act
    feed.record(connection, [feed.DENIALS], now)
    names = ("issuer", "issued_before", "until")
    details = {name: getattr(denial, name) for name in names if getattr(denial, name)}
    subject = f"{denial.kind}:{denial.value}"
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
