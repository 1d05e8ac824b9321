"""Objects of git unpacked: by ISA-L, which takes half the time, where there is a wheel with it."""

import zlib

try:
    from isal import isal_zlib as fastest
except ImportError:  # pragma: no cover  (a machine for which there is no wheel)
    fastest = zlib  # type: ignore[misc]

_ERRORS: tuple[type[Exception], ...] = (zlib.error, fastest.error)


def whole(packed: bytes, size: int) -> bytes | None:
    """Unpack what says how long it is; never more than that is unpacked.

    Args:
        packed: a zlib stream (RFC 1950), and perhaps something behind it.
        size: bytes that it holds.

    Returns:
        None where it is damaged, cut short, or of another length.
    """
    stream = fastest.decompressobj()
    try:
        raw = stream.decompress(packed, size + 1)
    except _ERRORS:
        return None
    if len(raw) == size and not stream.eof and not stream.unconsumed_tail:
        return None
    return raw if len(raw) == size else None
