"""Objects of git unpacked: by ISA-L, which takes half the time, where there is a wheel with it."""

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

_unpacker: Callable[[], Any] = zlib.decompressobj
_broken: tuple[type[Exception], ...] = (zlib.error,)
try:
    _isal: Any = import_module("isal.isal_zlib")  # its stubs take an error's class for an error
except ImportError:  # pragma: no cover  (a machine for which there is no wheel)
    pass
else:
    _unpacker, _broken = _isal.decompressobj, (_isal.IsalError,)


def whole(packed: bytes, size: int) -> bytes | None:
    """Unpack what says how long it is; never more than that is unpacked.

    Args:
        packed: a zlib stream (RFC 1950), and perhaps something behind it.
        size: bytes that it holds.

    Returns:
        None where it is damaged, cut short, or of another length.
    """
    stream = _unpacker()
    try:
        raw: bytes = stream.decompress(packed, size + 1)
    except _broken:
        return None
    if len(raw) == size and not stream.eof and not stream.unconsumed_tail:
        return None
    return raw if len(raw) == size else None
