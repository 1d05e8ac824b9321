"""7z archives whose folders are a plain chain of the usual methods; of others it is said.

Source: 7-Zip's 7zFormat.txt (public domain). Filters for machine code change no text, so what they
did is not undone.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

from scanner.archives.coders import lzma1, lzma2, through
from scanner.archives.kinds import MAX_MEMBERS
from scanner.archives.reading import DamagedError, LimitError, Read, exactly, limited

_MAGIC_WIDTH, _START = 6, 32
_HEADER = 64 << 20
_COPY, _LZMA, _LZMA2, _DEFLATE, _BZIP2, _AES = (
    b"\x00", b"\x03\x01\x01", b"\x21", b"\x04\x01\x08", b"\x04\x02\x02", b"\x06\xf1\x07\x01",
)  # fmt: skip
_OF_CODE = {
    b"\x03\x03\x01\x03", b"\x03\x03\x02\x05", b"\x03\x03\x05\x01", b"\x03\x03\x08\x05",
    *(bytes([number]) for number in range(4, 12)),
}  # fmt: skip
_ENCODED = 0x17


@dataclass(slots=True)
class _Folder:
    """Streams that were packed together.

    Attributes:
        coders: method and its properties, as data went through them.
        inputs: how many packed streams feed it.
        sizes: bytes that come out of each coder.
        members: bytes of each file within.
    """

    coders: list[tuple[bytes, bytes]]
    inputs: int
    plain: bool
    sizes: list[int] = field(default_factory=list)
    members: list[int] = field(default_factory=list)


def members(raw: IO[bytes], note: Callable[[str], None]) -> Iterator[tuple[str, Read]]:
    """Open a 7z archive."""
    start = exactly(raw.read, _START)
    at, size = (int.from_bytes(start[begin : begin + 8], "little") for begin in (12, 20))
    if not size:
        return
    if size > _HEADER:
        raise LimitError("has a table of contents that is too long")
    raw.seek(_START + at)
    fields = _Fields(exactly(raw.read, size))
    while (kind := fields.byte()) == _ENCODED:
        first, packed, folders = fields.streams()
        if len(folders) != 1 or folders[0].sizes[-1] > _HEADER:
            raise LimitError("has a table of contents that is too long")
        read = _unpacked(raw, _START + first, packed[0], folders[0])
        fields = _Fields(exactly(read, folders[0].sizes[-1]))
    if kind != 1:
        raise DamagedError("no table of contents")
    yield from _files(raw, fields, note)


def _files(
    raw: IO[bytes], fields: "_Fields", note: Callable[[str], None]
) -> Iterator[tuple[str, Read]]:
    first, packed, folders, names = fields.contents()
    named, at, stream = iter(names), _START + first, 0
    for number, folder in enumerate(folders):
        sizes = packed[stream : stream + folder.inputs]
        own = [next(named, f"(file {number})") for _ in folder.members]
        try:
            read = _unpacked(raw, at, sizes[0], folder)
        except DamagedError as error:
            note(f"{own[0] if own else ''}: {error}")
        else:
            for name, size in zip(own, folder.members, strict=True):
                member = limited(read, size)
                yield name, member
                while member(1 << 20):
                    pass
        at, stream = at + sum(sizes), stream + folder.inputs


def _unpacked(raw: IO[bytes], at: int, size: int, folder: _Folder) -> Read:
    """Return what reads a folder's bytes.

    Raises:
        DamagedError: it is packed by a method that is not known here.
    """
    if any(method == _AES for method, _ in folder.coders):
        raise DamagedError("it is encrypted")
    if not folder.plain or folder.inputs != 1:
        raise DamagedError("it is packed in a way that is not known here (BCJ2)")
    raw.seek(at)
    read = limited(raw.read, size)
    # coders are listed from the outside in: the last one is nearest to the packed bytes
    for (method, properties), out in reversed(list(zip(folder.coders, folder.sizes, strict=True))):
        if method not in _OF_CODE:
            read = limited(_decoded(read, method, properties, out), out)
    return read


def _decoded(read: Read, method: bytes, properties: bytes, size: int) -> Read:
    if method == _COPY:
        return read
    if method == _DEFLATE:
        return through(read, zlib.decompressobj(-15))
    if method == _BZIP2:
        return through(read, bz2.BZ2Decompressor())
    if method in {_LZMA, _LZMA2}:
        chain = [lzma1(properties, size) if method == _LZMA else lzma2(properties, size)]
        return through(read, lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain))
    raise DamagedError(f"it is packed in a way that is not known here ({method.hex()})")


class _Fields:
    """A table of contents, read field by field."""

    def __init__(self, text: bytes) -> None:
        self._stream = io.BytesIO(text)
        self._size = len(text)

    def bytes(self, count: int) -> bytes:
        if count > self._size:
            raise DamagedError("a length is none")
        return exactly(self._stream.read, count)

    def byte(self) -> int:
        return self.bytes(1)[0]

    def number(self) -> int:
        """Read a number of one to nine bytes; the first says by leading ones how many follow."""
        first, value, mask = self.byte(), 0, 0x80
        for at in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * at)
            value |= self.byte() << (8 * at)
            mask >>= 1
        return value

    def count(self) -> int:
        number = self.number()
        if number > MAX_MEMBERS:
            raise LimitError(f"holds more than {MAX_MEMBERS} members")
        return number

    def flags(self, count: int) -> list[bool]:
        raw = self.bytes(-(-count // 8))
        return [bool(raw[at // 8] & 0x80 >> at % 8) for at in range(count)]

    def optional_flags(self, count: int) -> list[bool]:
        return [True] * count if self.byte() else self.flags(count)

    def streams(self) -> tuple[int, list[int], list[_Folder]]:
        """Read where packed streams lie, how long they are, and what they unpack to."""
        first, packed, folders = 0, list[int](), list[_Folder]()
        while kind := self.byte():
            if kind == 6:  # noqa: PLR2004  (the numbers of the format, see the source)
                first, packed = self._pack()
            elif kind == 7:  # noqa: PLR2004
                folders = self._unpack()
            elif kind == 8:  # noqa: PLR2004
                self._substreams(folders)
            else:
                raise DamagedError("a field that is not known")
        for folder in folders:
            folder.members = folder.members or [folder.sizes[0]]
        if sum(folder.inputs for folder in folders) > len(packed):
            raise DamagedError("more streams are named than there are")
        return first, packed, folders

    def _pack(self) -> tuple[int, list[int]]:
        first, count, sizes = self.number(), self.count(), list[int]()
        while kind := self.byte():
            if kind == 9:  # noqa: PLR2004
                sizes = [self.number() for _ in range(count)]
            elif kind == 10:  # noqa: PLR2004
                self._sums(count)
        return first, sizes

    def _sums(self, count: int) -> None:
        self.bytes(4 * sum(self.optional_flags(count)))

    def _unpack(self) -> list[_Folder]:
        if self.byte() != 11:  # noqa: PLR2004
            raise DamagedError("no folders")
        count = self.count()
        if self.byte():
            raise DamagedError("folders that stand elsewhere")
        folders = [self._folder() for _ in range(count)]
        while kind := self.byte():
            if kind == 12:  # noqa: PLR2004
                for folder in folders:
                    folder.sizes = [self.number() for _ in folder.coders]
            elif kind == 10:  # noqa: PLR2004
                self._sums(count)
        if not all(folder.sizes for folder in folders):
            raise DamagedError("folders without sizes")
        return folders

    def _folder(self) -> _Folder:
        coders, inputs, outputs = [], 0, 0
        for _ in range(self.count()):
            flags = self.byte()
            method = self.bytes(flags & 0xF)
            ins, outs = (self.count(), self.count()) if flags & 0x10 else (1, 1)
            properties = self.bytes(self.count()) if flags & 0x20 else b""
            coders.append((method, properties))
            inputs, outputs = inputs + ins, outputs + outs
        pairs = [(self.number(), self.number()) for _ in range(outputs - 1)]
        left = inputs - len(pairs)
        if left > 1:
            for _ in range(left):
                self.number()
        plain = inputs == outputs == len(coders) and pairs == [
            (at, at + 1) for at in range(len(coders) - 1)
        ]
        return _Folder(coders, left, plain)

    def _substreams(self, folders: list[_Folder]) -> None:
        counts = [1] * len(folders)
        kind = self.byte()
        if kind == 13:  # noqa: PLR2004
            counts = [self.count() for _ in folders]
            kind = self.byte()
        for folder, count in zip(folders, counts, strict=True):
            sizes = [self.number() for _ in range(count - 1)] if kind == 9 else []  # noqa: PLR2004
            last = folder.sizes[0] - sum(sizes)
            folder.members = [*sizes, last] if count else []
            if last < 0:
                raise DamagedError("files that are larger than what holds them")
        while kind:
            if kind == 10:  # noqa: PLR2004
                self._sums(sum(counts))
            kind = self.byte()

    def contents(self) -> tuple[int, list[int], list[_Folder], list[str]]:
        """Read a header; the names are those of files that have bytes."""
        first, packed, folders, names = 0, list[int](), list[_Folder](), list[str]()
        while kind := self.byte():
            if kind == 4:  # noqa: PLR2004
                first, packed, folders = self.streams()
            elif kind == 5:  # noqa: PLR2004
                names = self._names()
            else:
                raise DamagedError("a field that is not known")
        return first, packed, folders, names

    def _names(self) -> list[str]:
        count = self.count()
        names, empty = [""] * count, [False] * count
        while kind := self.byte():
            text = self.bytes(self.number())
            if kind == 14:  # noqa: PLR2004
                empty = _Fields(text).flags(count)
            elif kind == 17:  # noqa: PLR2004
                names = text[1:].decode("utf-16-le", "replace").split("\0")
        return [name for name, none in zip(names, empty, strict=False) if not none]
