"""Where long-running commands speak."""

from collections.abc import Callable
from dataclasses import dataclass

from vocabulary.alert import Alert


@dataclass(frozen=True, slots=True)
class Voice:
    """Sentences for the operator, and alerts."""

    tell: Callable[[str], None]
    alert: Callable[[Alert], None]
