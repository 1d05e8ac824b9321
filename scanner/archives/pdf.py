"""Text of PDF files: what their pages show, line by line.

Pages are streams of operators that zlib has packed (ISO 32000, 7.3.8 and 9.4). Strings are joined
as they are shown, so that no kerning cuts a token. Fonts that number their glyphs, pictures and
what is encrypted show no text here; no PDF file counts as damaged, for it is scanned as it is, too.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import IO

from scanner.archives.reading import Read
from scanner.lazy import lazy

_LARGEST, _STREAM = 64 << 20, 16 << 20
_STREAMS = 20_000
_BEGIN = lazy(rb"stream\r?\n")
_HEAD = 400
_PACKED = lazy(rb"/(?:FlateDecode|Fl)\b")
_PICTURE = lazy(rb"/Subtype\s{0,4}/Image|/FontFile|/DCTDecode|/Length[123]\b")
_TOKEN = lazy(
    rb"\(((?:[^\\()]|\\.)*)\)|<([0-9A-Fa-f\s]{2,4000})>|(-\d{3,5}(?:\.\d{0,6})?)(?=\s{0,3}[(<])"
    rb"|\b(?:Td|TD|Tm|ET)\b|T\*",
    re.DOTALL,
)
_ESCAPE = lazy(rb"\\([0-7]{1,3}|\r?\n|.)", re.DOTALL)
_SIGNS = {b"n": b"\n", b"r": b"\n", b"t": b"\t", b"b": b"", b"f": b""}
_BLANK = -180.0  # thousandths of an em by which a word is set apart


def members(raw: IO[bytes], note: Callable[[str], None]) -> Iterator[tuple[str, Read]]:
    """Yield the text of a file; one that is too large has been read as it is, which must do."""
    del note
    content = raw.read(_LARGEST + 1)
    if len(content) > _LARGEST or b"/Encrypt" in content:
        return
    for number, stream in enumerate(_streams(content), 1):
        if text := shown(stream):
            yield f"text-{number}", BytesIO(text).read


def _streams(content: bytes) -> Iterator[bytes]:
    """Yield streams of operators, unpacked."""
    at = 0
    for _ in range(_STREAMS):
        found = _BEGIN.search(content, at)
        if found is None:
            return
        stop = content.find(b"endstream", found.end())
        at = stop if stop >= 0 else len(content)
        head = content[max(0, found.start() - _HEAD) : found.start()]
        head = head[head.rfind(b"obj") + 1 :]
        if _PACKED.search(head) and not _PICTURE.search(head):
            yield _unpacked(content[found.end() : at])


def _unpacked(packed: bytes) -> bytes:
    """Unpack what there is of a stream, up to some megabytes."""
    try:
        return zlib.decompressobj().decompress(packed, _STREAM)
    except zlib.error:
        return b""


def shown(stream: bytes) -> bytes:
    r"""Return the text that operators show.

    Example:
        >>> shown(b"BT (pass) Tj [(wo) -20 (rd)] TJ 0 -12 Td (x) Tj ET")
        b'password\nx\n'
    """
    if b"Tj" not in stream and b"TJ" not in stream:
        return b""
    parts = []
    for found in _TOKEN.finditer(stream):
        if found[1] is not None:
            parts.append(_ESCAPE.sub(_plain, found[1]))
        elif found[2] is not None:
            parts.append(_of_hex(found[2]))
        elif found[3] is not None:
            parts.append(b" " if float(found[3]) < _BLANK else b"")
        else:
            parts.append(b"\n" if parts and parts[-1] != b"\n" else b"")
    return b"".join(parts)


def _plain(found: re.Match[bytes]) -> bytes:
    said = found[1]
    if said.isdigit():
        return bytes([int(said, 8) & 255])
    return b"" if said.endswith(b"\n") else _SIGNS.get(said, said)


def _of_hex(text: bytes) -> bytes:
    digits = b"".join(text.split())
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode()).replace(b"\0", b"")
