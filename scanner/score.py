"""What the classifier says of a candidate."""

import msgspec

from vocabulary.finding import Confidence


class Score(msgspec.Struct, frozen=True):
    """What a candidate is worth.

    Attributes:
        confidence: None when it is not shown at all.
        reasons: for a person.
    """

    confidence: Confidence | None
    probability: float
    reasons: tuple[str, ...] = ()
