"""What is deflated, unpacked: by ISA-L, in half the time, where there is a wheel with it."""

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

unpacker: Callable[..., Any] = zlib.decompressobj
"""As `zlib.decompressobj`."""
BROKEN: tuple[type[Exception], ...] = (zlib.error,)
"""What it raises over a damaged stream."""
try:
    _isal: Any = import_module("isal.isal_zlib")  # its stubs take an error's class for an error
except ImportError:  # pragma: no cover  (a machine for which there is no wheel)
    pass
else:
    unpacker, BROKEN = _isal.decompressobj, (_isal.IsalError,)


def whole(packed: bytes, size: int) -> bytes | None:
    """Unpack what says how long it is; never more than that is unpacked.

    Args:
        packed: a zlib stream (RFC 1950), and perhaps something behind it.
        size: bytes that it holds.

    Returns:
        None where it is damaged, cut short, or of another length.
    """
    stream = unpacker()
    try:
        raw: bytes = stream.decompress(packed, size + 1)
    except BROKEN:
        return None
    if len(raw) == size and not stream.eof and not stream.unconsumed_tail:
        return None
    return raw if len(raw) == size else None
