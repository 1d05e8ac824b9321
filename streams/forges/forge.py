"""What a forge is: how it proves who it is, and how it tells which refs moved where."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streams.signatures import check_hmac

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A ref that moved."""

    repository: str
    private: bool
    ref: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Forge:
    """What is particular to a forge.

    Attributes:
        name: as the webhook's path has it.
        proof: header that shows who sent it.
        event: header that names the event.
        pushes: events that bring commits.
        verify: checks the proof; raises SignatureError.
        changes: the body of a push → the refs that moved; raises what msgspec raises.
    """

    name: str
    proof: str
    event: str
    pushes: frozenset[str]
    verify: Callable[[Headers, bytes, Sequence[str]], None]
    changes: Callable[[bytes], list[Change]]


def hub(header: str, where: str) -> Callable[[Headers, bytes, Sequence[str]], None]:
    """Return what checks `sha256=HEX` of a header."""

    def verify(headers: Headers, body: bytes, secrets: Sequence[str]) -> None:
        kind, _, given = headers.get(header, "").partition("=")
        check_hmac(given if kind == "sha256" else "", body, secrets, where)

    return verify
