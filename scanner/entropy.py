"""How evenly the characters of a text are spread."""

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
    counts = [text.count(character) for character in dict.fromkeys(text)]
    shares = {n: n / length * log2(n / length) for n in set(counts)}
    return -sum([shares[n] for n in counts])
