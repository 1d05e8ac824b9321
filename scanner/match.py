"""What the engine finds: one secret at one place of one text, and why it is believed."""

from collections.abc import Mapping

import msgspec

from scanner.candidate import Candidate
from scanner.rules import Rule
from scanner.score import Score
from vocabulary.finding import Confidence


class Match(msgspec.Struct, frozen=True):
    """A secret at a place. Short-lived: it holds the secret itself, and `repr` leaves it out.

    Attributes:
        item: name of the text: an object id, a path.
        inside: name of the member of an archive, as a suffix of the path.
        label: the name that the secret is assigned to, where it is.
        candidate: set for a value of no known format, to be weighed where its path is known.
        start: bytes from the beginning of the text (of the outermost, when decoded).
        line, column, end_line: 1-based.
        checksum: valid, invalid or none.
        notes: what else is known of the place, said after the reasons.
        decoding: the encodings and containers on the way to it, outermost first.
        scores: what the candidate is worth under each path of the text, as far as it is known.
    """

    rule: Rule
    secret: bytes
    item: str
    start: int
    end: int
    line: int
    column: int
    end_line: int
    confidence: Confidence
    checksum: str = "none"
    reasons: tuple[str, ...] = ()
    decoding: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    inside: str = ""
    label: str = ""
    candidate: Candidate | None = None
    scores: Mapping[str, Score] = msgspec.field(default_factory=dict)

    @property
    def packed(self) -> bool:
        """Whether it lies in an archive, so that its position is not one of the outer text."""
        return any(name in _CONTAINERS for name in self.decoding)

    def __repr__(self) -> str:
        """Say all but the secret."""
        return f"Match({self.rule.id}, {self.item}:{self.line}:{self.column})"

    @property
    def strength(self) -> tuple[bool, bool, int, bool, int, int]:
        """Order matches of one text: proof, a rule that knows its provider, confidence, length."""
        specific = self.rule.provider not in GENERIC and self.checksum != "invalid"
        proven = self.checksum == "valid"
        named = _ORDER.index(self.rule.confidence)
        return (proven, specific, self.rank, self.candidate is None, named, len(self.secret))

    @property
    def rank(self) -> int:
        """Return the confidence as a number."""
        return _ORDER.index(self.confidence)


_ORDER = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)
_CONTAINERS = frozenset({"zip", "gzip", "bzip2", "xz", "zstd", "7z", "rpm", "sqlite"})
GENERIC = ("generic",)
"""Providers of rules that know no format: their matches are weighed by scanner/classify.py."""
