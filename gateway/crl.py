"""Lists of certificates that their CA took back (CRL, RFC 5280), as files that somebody renews.

A list is believed when a known CA signed it and until the day on which it says that the next one
comes. A CA without a list that is good now leaves its certificates unchecked, and they are
refused: no list would else be the best list for a thief.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from cryptography import x509

from gateway.authorities import Authorities
from gateway.certificates import Certificate, CertificateError
from vocabulary.errors import ConfigError

LOOK_S = 10.0
"""Seconds between two looks whether a file was renewed."""

_MOST_BYTES = 256 << 20
_WHERE = "gateway.revocation_lists"
_log = logging.getLogger(__name__)


class _List(NamedTuple):
    issuer: str
    ends: float
    serials: frozenset[int]


class RevocationLists:
    """The lists in some files, read again when a file is renewed; may be asked from any thread.

    Args:
        paths: files, PEM or DER, a list each.
        authorities: who may sign them.
        ticks: seconds of a clock that never goes back.

    Raises:
        ConfigError: when a file is no list, or none that can be believed.
    """

    def __init__(
        self,
        paths: Sequence[str],
        authorities: Authorities,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths, self._authorities, self._ticks = tuple(paths), authorities, ticks
        self._lock = Lock()
        self._looked = ticks()
        self._stamps = {path: _stamp(path) for path in self._paths}
        self._lists = {path: _read(path, authorities) for path in self._paths}

    def is_due(self) -> bool:
        """Whether it is time to look for renewed files."""
        return self._ticks() - self._looked >= LOOK_S

    def look(self) -> None:
        """Read what was renewed; what cannot be read leaves the list that was there."""
        with self._lock:
            if not self.is_due():
                return
            self._looked = self._ticks()
            for path in self._paths:
                self._look_at(path)

    def check(self, certificate: Certificate, now: float) -> None:
        """Refuse a certificate that is on a list of its CA, or whose CA has no list that is good.

        Args:
            certificate: what a trusted proxy told of.
            now: epoch seconds.

        Raises:
            CertificateError: with why.
        """
        good = [
            one
            for one in self._lists.values()
            if one.issuer == certificate.issuer and now < one.ends
        ]
        if not certificate.serial or not good:
            raise CertificateError("certificate_unchecked")
        serial = int(certificate.serial, 16)
        if any(serial in one.serials for one in good):
            raise CertificateError("certificate_revoked")

    def _look_at(self, path: str) -> None:
        try:
            stamp = _stamp(path)
            if stamp == self._stamps[path]:
                return
            self._lists[path] = _read(path, self._authorities)
            self._stamps[path] = stamp
        except ConfigError as error:
            _log.warning("a renewed revocation list is not used: %s", error)


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", where=_WHERE) from None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: str, authorities: Authorities) -> _List:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", where=_WHERE) from None
    try:
        load = x509.load_pem_x509_crl if raw.lstrip()[:5] == b"-----" else x509.load_der_x509_crl
        if len(raw) > _MOST_BYTES:
            raise ValueError  # noqa: TRY301  (as whatever else is no list)
        return _believed(load(raw), authorities)
    except (ValueError, TypeError):
        raise ConfigError(f"{path}: this is no revocation list", where=_WHERE) from None
    except _UnbelievedError as error:
        raise ConfigError(f"{path}: {error}", where=_WHERE) from None


class _UnbelievedError(Exception):
    """A list that says too little, or that nobody known signed."""


def _believed(found: x509.CertificateRevocationList, authorities: Authorities) -> _List:
    """Return the list; parts of lists and lists for others are not understood.

    Raises:
        _UnbelievedError: with why.
        ValueError, TypeError: when it is malformed.
    """
    issuer = found.issuer.rfc4514_string()
    if found.next_update_utc is None:
        raise _UnbelievedError("it does not say until when it holds")
    known = authorities.named(issuer)
    if not any(found.is_signature_valid(one.public_key()) for one in known):  # type: ignore[arg-type]
        raise _UnbelievedError("none of gateway.certificate_authorities signed it")
    for extension in found.extensions:
        if extension.critical:  # delta, indirect and partial lists are (RFC 5280, 5.2)
            raise _UnbelievedError("it is a part of a list, or one for other CAs")
    serials = frozenset(entry.serial_number for entry in found)
    return _List(issuer, found.next_update_utc.timestamp(), serials)
