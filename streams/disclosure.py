"""Secrets that others found: GitHub's secret-scanning partner alerts, and reports of leaks.

https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program
"""

import base64
import binascii
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from vocabulary.credential import Credential, credential_of
from vocabulary.errors import FormatError, ServiceError, SignatureError, UsageError

KEYS_URL = "https://api.github.com/meta/public_keys/secret_scanning"
IDENTIFIER = "github-public-key-identifier"
SIGNATURE = "github-public-key-signature"
MAX_BODY = 5 << 20
MAX_TOKENS = 10_000
_WHERE = "GitHub partner alert"
_REMEDY = "only GitHub can send these"
_KEPT_S = 3600.0
_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A secret that somebody found; the secret itself is not among it.

    Attributes:
        credential: by which the key can be found.
        kind: what the finder takes it for.
        url: where it stands, when that is told.
        source: what kind of place that is, or who found it.
    """

    credential: Credential
    kind: str
    url: str
    source: str


class _Told(msgspec.Struct):
    token: Annotated[str, Meta(min_length=1, max_length=8192)]
    type: Annotated[str, Meta(max_length=200)] = ""
    url: Annotated[str, Meta(max_length=2048)] = ""
    source: Annotated[str, Meta(max_length=200)] = ""


_TOLD = msgspec.json.Decoder(Annotated[list[_Told], Meta(max_length=MAX_TOKENS)])
_ONE = msgspec.json.Decoder(_Told)


def disclosures(body: bytes, peppers: Mapping[str, bytes] | None = None) -> list[Disclosure]:
    """Read what was reported: a JSON array of `{token, type, url, source}`, or one of them.

    Args:
        body: as it was received.
        peppers: pepper id → pepper, for stores of imported keys.

    Raises:
        FormatError: when it is neither; no word of it is repeated.
    """
    try:
        alone = body.lstrip()[:1] == b"{"
        told = [_ONE.decode(body)] if alone else _TOLD.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Not from the error: that holds the body.
        raise FormatError("no array of {token, type, url, source}", where="report") from None
    return [
        Disclosure(
            credential_of(one.token.strip(), peppers=peppers),
            _line(one.type),
            _line(one.url).partition("?")[0],
            _line(one.source),
        )
        for one in told
    ]


def _line(text: str) -> str:
    return "".join(char for char in text if char.isprintable())


class _Key(msgspec.Struct):
    key_identifier: str
    key: str
    is_current: bool = False


class _Keys(msgspec.Struct):
    public_keys: list[_Key]


_KEYS = msgspec.json.Decoder(_Keys)

Fetch = Callable[[str], bytes]
"""URL → what it answers; raises ServiceError."""


class PublicKeys:
    """The keys that GitHub signs with, as it publishes them.

    They are fetched when one is asked for that is not known, at most once a minute, and again
    after an hour, so that one that GitHub takes back is believed no longer.

    Args:
        url: where they are published.
        fetch: gets it.
        clock: seconds.
    """

    def __init__(self, url: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._fetch, self._clock = url, fetch, clock
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}
        self._fetched = self._tried = float("-inf")

    def find(self, identifier: str) -> str:
        """Return the key of that identifier, PEM.

        Raises:
            SignatureError: when GitHub publishes none of that name.
            ServiceError: when it does not say.
        """
        with self._lock:
            now = self._clock()
            stale = now - self._fetched > _KEPT_S
            if (stale or identifier not in self._keys) and now - self._tried > _AGAIN_S:
                self._tried = now
                self._keys, self._fetched = self._published(), now
                stale = False
            if stale:
                raise ServiceError(
                    "the public keys could not be had",
                    where=self._url,
                    remedy="sent again, it is taken",
                )
            if identifier not in self._keys:
                raise SignatureError("signed with an unknown key", where=_WHERE, remedy=_REMEDY)
            return self._keys[identifier]

    def _published(self) -> dict[str, str]:
        try:
            found = _KEYS.decode(self._fetch(self._url))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ServiceError(
                "no list of public keys", where=self._url, remedy="check the address"
            ) from error
        return {one.key_identifier: one.key for one in found.public_keys}


def verify(headers: Mapping[str, str], body: bytes, keys: PublicKeys) -> None:
    """Check GitHub's signature: ECDSA on P-256 with SHA-256, over the body as it was received.

    Raises:
        SignatureError: when it does not fit.
        ServiceError: when the public keys cannot be had.
        UsageError: when cryptography is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  (an extra)
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  (likewise)
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  (likewise)
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  (likewise)
            load_pem_public_key,
        )
    except ImportError as error:
        raise UsageError(
            "partner alerts need cryptography",
            remedy="install keywatch[tokens]",
        ) from error
    identifier, given = headers.get(IDENTIFIER, ""), headers.get(SIGNATURE, "")
    if not identifier or not given:
        raise SignatureError("no signature", where=_WHERE, remedy=_REMEDY)
    pem = keys.find(identifier)
    try:
        key = load_pem_public_key(pem.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise SignatureError("signed with another kind of key", where=_WHERE, remedy=_REMEDY)
        key.verify(base64.b64decode(given, validate=True), body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, binascii.Error) as error:
        raise SignatureError("the signature does not fit", where=_WHERE, remedy=_REMEDY) from error


def labels(reported: Sequence[Disclosure], ours: Sequence[bool | None]) -> list[dict[str, str]]:
    """Return the answer that GitHub asks for: which of the tokens are real.

    Tokens are named by their hash, so that none of them is sent about. Nothing is said of one
    about which it is not known yet (None).
    """
    return [
        {
            "token_hash": one.credential.sha256,
            "token_type": one.kind,
            "label": "true_positive" if mine else "false_positive",
        }
        for one, mine in zip(reported, ours, strict=True)
        if mine is not None
    ]
