"""How evenly the characters of a text are spread."""

from collections import Counter
from math import log2


def shannon(text: bytes) -> float:
    """Return the Shannon entropy of `text`, in bits a character; 0 for the empty one.

    Example:
        >>> shannon(b"aabb")
        1.0
    """
    if not text:
        return 0.0
    length = len(text)
    return -sum(n / length * log2(n / length) for n in Counter(text).values())
