"""A secret found in a repository, a file or a log line."""

from enum import StrEnum

import msgspec

from vocabulary.credential import Credential


class Confidence(StrEnum):
    """How sure the scanner is that a finding is a secret."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place where the secret stands.

    Attributes:
        line: 1-based, within the object or file; 0 where lines mean nothing.
        date: RFC 3339, of the commit.
    """

    path: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    commit: str = ""
    blob: str = ""
    author: str = ""
    date: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """What can be proven; without asking anybody but where `--verify` was asked for.

    Attributes:
        store: live, test, deprecated, suspended, expired, revoked or unknown.
        checksum: valid, invalid or none.
        provider: active, inactive or unknown as its provider says; unasked where nobody asked it.
    """

    store: str = "unknown"
    checksum: str = "none"
    provider: str = "unasked"


class Finding(msgspec.Struct, frozen=True):
    """One secret with every place where it stands; the fields are the JSON contract of `scan`.

    `path` … `date` are those of the place where it was introduced first. `credential` is for
    the way to the key store and is left out of reports.
    """

    rule: str
    name: str
    severity: str
    confidence: str
    path: str
    line: int
    column: int
    end_line: int
    commit: str
    blob: str
    author: str
    date: str
    places: tuple[Place, ...]
    count: int
    secret: str
    fingerprint: str
    verdict: Verdict
    key_id: str
    key_state: str
    environment: str
    reasons: tuple[str, ...]
    decoding: tuple[str, ...]
    source: str
    tags: tuple[str, ...]
    credential: Credential
