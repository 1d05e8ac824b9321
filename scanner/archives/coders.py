"""What archives with members compress by: decompressed a little at a time, in bounded memory."""

import lzma
from typing import Any

from scanner.archives.reading import DamagedError, Read

_DICTIONARY = 256 << 20


def lzma1(properties: bytes, size: int) -> dict[str, Any]:
    """Return the filter of `lzma` for a stream of LZMA.

    Args:
        properties: five bytes, as the format has them.
        size: bytes that come out.

    Raises:
        DamagedError: they are none, or ask for too much memory.
    """
    if len(properties) != 5:  # noqa: PLR2004
        raise DamagedError("LZMA without its properties")
    first, asked = properties[0], int.from_bytes(properties[1:5], "little")
    return {
        "id": lzma.FILTER_LZMA1, "lc": first % 9, "lp": first // 9 % 5, "pb": first // 45,
        "dict_size": _dictionary(asked, size),
    }  # fmt: skip


def lzma2(properties: bytes, size: int) -> dict[str, Any]:
    """Return the filter for LZMA2, which has one byte of properties; see `lzma1`."""
    bits = properties[0] if properties else 41
    if bits > 40:  # noqa: PLR2004
        raise DamagedError("LZMA2 without its properties")
    asked = (2 | bits & 1) << (bits // 2 + 11)
    return {"id": lzma.FILTER_LZMA2, "dict_size": _dictionary(asked, size)}


def _dictionary(asked: int, size: int) -> int:
    """Return how much to look back at most: never more than there is."""
    needed = max(4096, min(asked, size))
    if needed > _DICTIONARY:
        raise DamagedError(f"it needs a dictionary of more than {_DICTIONARY >> 20} MiB")
    return needed


def through(read: Read, decompressor: Any) -> Read:  # noqa: ANN401  (three libraries' objects)
    """Return what reads decompressed, never more at once than it is asked for.

    Args:
        read: gives what is compressed.
        decompressor: of zlib, bz2 or lzma.
    """
    rest = b""

    def some(size: int) -> bytes:
        nonlocal rest
        while True:
            wants = getattr(decompressor, "needs_input", not rest)
            part = (rest or read(1 << 16)) if wants else b""
            got: bytes = decompressor.decompress(part, size)
            rest = getattr(decompressor, "unconsumed_tail", b"")
            if got or decompressor.eof or (wants and not part):
                return got

    return some
