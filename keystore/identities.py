"""Identities that are no API keys: OAuth 2.0 clients, tokens' subjects, certificates.

They are rows beside the keys: the same states, throttles, revocation, profiles, audit log and
feed. They differ in how they are recognised: by a name, and a client by its secret as well.
"""

import re
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from hmac import compare_digest
from secrets import token_bytes

import msgspec
from sqlalchemy import Connection, select

from database.schema import keys
from database.transaction import in_commit_order
from keystore import issue, lifecycle
from keystore.audit import storable
from keystore.issue import Issued, KeyOrder, Origin
from keystore.keys import NAMED, SHA256, Key, Kind, key_of
from keystore.scheme import DEFAULT_SCHEME, KeyScheme, base62, hash_of
from vocabulary.errors import KeyStoreError, TransitionError, UsageError

_LONGEST = 2048
_CLIENT_ID = re.compile(r"[\x21-\x39\x3b-\x7e]{1,200}")
_ISSUER = re.compile(r"[\x21-\x7e]{1,1024}")
_FORMS = {
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "spiffe": re.compile(r"//[a-z0-9._-]{1,255}(?:/[A-Za-z0-9._-]{1,255})*"),
    "dns": re.compile(r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*"),
    "cn": re.compile(r"[^\x00-\x1f]{1,255}"),
}
_SECRET_BYTES, _SECRET_WIDTH = 32, 43


def token_name(issuer: str, subject: str) -> str:
    """Return the name of whom an issuer's tokens speak for: its `iss` and its `sub`."""
    return f"{issuer} {subject}"


def certificate_names(
    fingerprint: str, spiffe_id: str = "", dns: Iterable[str] = (), common_name: str = ""
) -> tuple[str, ...]:
    """Return the names by which a certificate may be known, the most exact first.

    Args:
        fingerprint: SHA-256 of the certificate (DER), hex.
        spiffe_id: `spiffe://trust-domain/path`.
        dns: its subject alternative names.
        common_name: its subject's CN.
    """
    names = [f"sha256:{fingerprint.lower().replace(':', '')}"]
    names += [spiffe_id] if spiffe_id else []
    names += [f"dns:{name.lower()}" for name in dns]
    return (*names, *([f"cn:{common_name}"] if common_name else []))


class Name(msgspec.Struct, frozen=True):
    """How a token's subject or a certificate is known; see the functions that make them."""

    kind: Kind
    text: str

    @property
    def hash(self) -> str:
        """Return the SHA-256 under which the identity is held."""
        return sha256(f"{self.kind.value}\n{self.text}".encode()).hexdigest()


class Client(msgspec.Struct, frozen=True):
    """An OAuth 2.0 client that is to be taken over.

    Attributes:
        id: its client id; empty for a new one.
        secret_hash: SHA-256 of its secret, hex; empty for a new secret.
        issuer: the `iss` of whose tokens it is a client; empty while there is but one issuer.
    """

    id: str = ""
    secret_hash: str = ""
    issuer: str = ""


def client_name(issuer: str, client_id: str) -> str:
    """Return the name of an issuer's client; without an issuer it is the client id."""
    return f"{issuer} {client_id}" if issuer else client_id


def register(
    connection: Connection,
    name: Name,
    order: KeyOrder,
    *,
    actor: str,
    reason: str,
    now: float,
    scheme: KeyScheme = DEFAULT_SCHEME,
) -> Key:
    """Let an identity in that shows itself by its name: a token's subject or a certificate.

    Unless the order names its end it has none: tokens and certificates bring theirs.

    Raises:
        KeyStoreError: when the store has it already.
        UsageError: when no token or certificate could be called so.
    """
    _check_name(name)
    origin = Origin(name.hash, kind=name.kind.value, pepper_id=NAMED, public_id=name.text)
    endless = replace(scheme, life_s=0.0, max_life_s=0.0) if order.life_s is None else scheme
    return issue.adopt(
        connection, order, origin, actor=actor, reason=reason, now=now, scheme=endless
    )


def register_client(
    connection: Connection,
    client: Client,
    order: KeyOrder,
    *,
    actor: str,
    reason: str,
    now: float,
    scheme: KeyScheme = DEFAULT_SCHEME,
) -> Issued:
    """Make an OAuth 2.0 client, or take one over; then `secret` is empty.

    Raises:
        KeyStoreError: when there is such a client already.
        UsageError: when no client could be called so.
    """
    name = client.id or "client_" + b32encode(token_bytes(10)).decode().lower()
    if not _CLIENT_ID.fullmatch(name):
        raise UsageError(f"{name!r} is no client id", remedy="printable ASCII without colon")
    if client.issuer and not _ISSUER.fullmatch(client.issuer):
        raise UsageError(f"{client.issuer!r} is no issuer", remedy="its tokens' `iss`")
    if client.secret_hash and not _FORMS["sha256"].fullmatch(client.secret_hash):
        raise UsageError("this is no SHA-256", remedy="64 hex digits, lower case")
    in_commit_order(connection)
    # A client id has no blank in it: no unbound client has the name of a bound one.
    name = client_name(client.issuer, name)
    if named(connection, Kind.OAUTH_CLIENT, [name]):
        raise KeyStoreError(f"there is a client {name!r} already")
    secret = "" if client.secret_hash else _new_secret()
    held = client.secret_hash or hash_of(secret)
    origin = Origin(held, kind=Kind.OAUTH_CLIENT.value, pepper_id=SHA256, public_id=name)
    act = {"actor": actor, "reason": reason}
    key = issue.adopt(connection, order, origin, **act, now=now, scheme=scheme.of_clients)
    return Issued(key, secret)


def renew_secret(
    connection: Connection, key_id: str, *, actor: str, reason: str, now: float
) -> Issued:
    """Give an OAuth 2.0 client another secret under its client id; the old one ends at once.

    Raises:
        TransitionError: when it is no client, or works no longer.
    """
    key = lifecycle.locked(connection, key_id)
    if key.kind != Kind.OAUTH_CLIENT:
        raise TransitionError(
            f"{key_id} is no OAuth client: it has no secret of its own",
            remedy=f"keywatch keys rotate {key_id}" if key.kind == Kind.KEY else "",
        )
    lifecycle.must_work(key, now, "given a new secret")
    secret = _new_secret()
    act = (actor, reason, now)
    return Issued(
        lifecycle.write(connection, key, {"hash": hash_of(secret)}, "rotate", act), secret
    )


def named(connection: Connection, kind: Kind, names: Iterable[str]) -> Key | None:
    """Return the identity of the first of the names that the store knows."""
    wanted = [name for name in names if storable(name) == name and len(name) <= _LONGEST]
    query = select(keys).where(keys.c.kind == kind.value, keys.c.public_id.in_(wanted))
    found = [key_of({**row}) for row in connection.execute(query).mappings()]
    return min(found, key=lambda key: wanted.index(key.public_id), default=None)


def authentic_client(
    connection: Connection, client_id: str, secret: str, issuer: str = ""
) -> Key | None:
    """Return the client when its secret is right, whatever its state; None when it is not."""
    key = named(connection, Kind.OAUTH_CLIENT, [client_name(issuer, client_id)])
    held = key.hash if key else "0" * 64
    right = compare_digest(held, hash_of(secret.encode("utf-8", "replace").decode()))
    return key if right else None


def _check_name(name: Name) -> None:
    text = name.text
    if len(text) > _LONGEST or storable(text) != text or not text.isprintable():
        raise UsageError("an identity's name is at most 2048 printable characters")
    if name.kind == Kind.TOKEN:
        issuer, _, subject = text.partition(" ")
        if not issuer or not subject:
            raise UsageError(f"{text!r} names no issuer and subject", remedy="write both")
    elif name.kind == Kind.CERTIFICATE:
        form, _, rest = text.partition(":")
        if form not in _FORMS or not _FORMS[form].fullmatch(rest):
            raise UsageError(
                f"{text!r} names no certificate", remedy="sha256:…, spiffe://…, dns:… or cn:…"
            )
    else:
        raise UsageError(f"{name.kind.value} is not known by its name alone")


def _new_secret() -> str:
    return "cs_" + base62(int.from_bytes(token_bytes(_SECRET_BYTES), "big"), _SECRET_WIDTH)
