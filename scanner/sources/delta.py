"""Git's differences between two versions of a text: applied, and read for what they leave alone.

A difference is a list of steps: copy so many bytes of the base from there, or insert these. A long
copy is text that did not change.

References:
    https://git-scm.com/docs/gitformat-pack#_deltified_representation
"""

try:  # dulwich's Rust, where there is a wheel with it; its Python elsewhere
    from dulwich._pack import apply_delta
except ImportError:  # pragma: no cover
    from dulwich.pack import apply_delta

_COPY = 0x80
_FULL = 0x10000  # what a copy of length zero copies
_END = bytes([_COPY]) * 160  # where one looks no further; no step is longer
_HEAD = 64  # bytes that are looked for before all are compared
_WORTH = 2  # how many times longer than a difference the text is that is not read whole
_SURELY = 8  # … whatever the difference looks like; else its first steps are looked at
_STEPS = 64  # so many of them
_CRUMB = 16  # bytes of a step, less than which leave little in one piece
_MISSES = 100  # in one text: whoever repeats himself so often must not cost more than reading


def _stepped_over(first: int) -> int:
    """Return the bytes of a step, by its first; none of a copy that may be long."""
    if first < _COPY:
        return 1 + first
    return 2 + (first & 15).bit_count() if first >> 4 == _SHORT else 0


_SHORT = 0x9  # one byte tells the length
_OVER = [_stepped_over(first) for first in range(256)]
Copy = tuple[int, int, int]
"""Where a copy goes in the new text, where it comes from in its base, and its length."""


def applied(base: bytes, delta: bytes) -> bytes:
    """Return the text that a difference makes of its base.

    Raises:
        ValueError: the difference does not belong to that base, or is none.
    """
    try:
        parts = apply_delta(base, delta)
    except Exception as error:  # (dulwich has no one type for this)
        raise ValueError("not a difference to this base") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def target_size(delta: bytes) -> int:
    """Return the length of the text that a difference makes.

    Raises:
        ValueError: it is cut short.
    """
    at = 0
    for _ in range(2):
        size = shift = 0
        while True:
            if at >= len(delta) or shift > 62:  # noqa: PLR2004  (no size has more bits)
                raise ValueError("a difference is cut short")
            part = delta[at]
            at += 1
            size |= (part & 127) << shift
            shift += 7
            if part < _COPY:
                break
    return size


def leaves_much(delta: bytes, size: int) -> bool:
    """Say whether what a difference leaves alone of a text of some size is worth looking for."""
    if len(delta) * _SURELY <= size:
        return True
    return len(delta) * _WORTH <= size and not _in_crumbs(delta)


def _in_crumbs(delta: bytes) -> bool:
    """Say whether a difference begins with many small steps: to walk over all of them is slow."""
    at = begun = _first_step(delta)
    for _ in range(_STEPS):
        if at >= len(delta):
            return False
        step = delta[at]
        at += 1 + ((step & ~_COPY).bit_count() if step & _COPY else step)
    return at - begun < _STEPS * _CRUMB


def _first_step(delta: bytes) -> int:
    """Return where the steps begin, behind the sizes of both texts."""
    at, end = 0, len(delta)
    for _ in range(2):
        while at < end and delta[at] >= _COPY:
            at += 1
        at += 1
    return at


def long_copies(base: bytes, text: bytes, delta: bytes, least: int) -> list[Copy]:
    """Return the copies of at least `least` bytes, in the new text's order.

    What each step makes of the new text would have to be added up to know where a copy went. It is
    quicker to step over all but the long ones, and to look for these in the text.

    Args:
        base: the text that the difference is to.
        text: what the difference makes of it.
        delta: a whole difference; of a broken one fewer may be returned, never what is not there.
        least: bytes; at least 256.
    """
    copies: list[Copy] = []
    at, misses, view = 0, 0, memoryview(base)
    for source, length in _long(delta, least):
        piece = view[source : source + length]
        while (begin := text.find(piece[:_HEAD], at)) >= 0 and not text.startswith(piece, begin):
            at, misses = begin + 1, misses + 1
            if misses > _MISSES:
                return copies
        if begin < 0 or len(piece) < length:
            return copies
        copies.append((begin, source, length))
        at = begin + length
    return copies


def _long(delta: bytes, least: int) -> list[tuple[int, int]]:
    """Return the offsets and lengths of long copies; one byte tells the length of the others."""
    steps, at, end = delta + _END, _first_step(delta), len(delta)
    found: list[tuple[int, int]] = []
    over = _OVER
    while at < end:
        while step := over[steps[at]]:  # ten million times in a large repository
            at += step
        if at < end:
            offset, length, at = _copied(steps, at)
            if length >= least:
                found.append((offset, length))
    return found


def _copied(steps: bytes, at: int) -> tuple[int, int, int]:
    """Return the offset and the length of a copy, and where the next step begins.

    A bit of the first byte for each byte of the two that is not zero, the lowest first. (Written
    out: a loop over the bits takes half as long again, a million times.)
    """
    first, at = steps[at], at + 1
    offset = length = 0
    if first & 0x01:
        offset, at = steps[at], at + 1
    if first & 0x02:
        offset, at = offset | steps[at] << 8, at + 1
    if first & 0x04:
        offset, at = offset | steps[at] << 16, at + 1
    if first & 0x08:
        offset, at = offset | steps[at] << 24, at + 1
    if first & 0x10:
        length, at = steps[at], at + 1
    if first & 0x20:
        length, at = length | steps[at] << 8, at + 1
    if first & 0x40:
        length, at = length | steps[at] << 16, at + 1
    return offset, length or _FULL, at
