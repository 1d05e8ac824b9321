"""What comes out of an archive: small members many to a buffer, long ones in windows."""

from collections.abc import Iterator

import msgspec

from scanner.archives.reading import Read
from scanner.windows import Window, windows


class Piece(msgspec.Struct, frozen=True):
    """Members in one buffer, or a window of a long one.

    Attributes:
        names: of the members, each with `!` before it, or empty.
        starts, ends: where they lie in the buffer.
        kinds: the containers on the way to them, outermost first.
        depth: how many containers that are.
    """

    names: list[str]
    data: bytes | bytearray
    starts: list[int]
    ends: list[int]
    kinds: tuple[str, ...]
    depth: int
    window: Window | None = None


class Pack:
    """Small members, gathered until they fill a piece."""

    def __init__(self, kinds: tuple[str, ...], depth: int) -> None:
        self.kinds, self.depth = kinds, depth
        self._begin()

    def _begin(self) -> None:
        self._parts: list[bytes] = [b"\n"]
        self.used = 1
        self._names: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []

    @property
    def count(self) -> int:
        """How many members have gathered."""
        return len(self._names)

    def put(self, name: str, text: bytes) -> None:
        """Add a member; a line feed stands before and after each."""
        self._names.append(name)
        self._starts.append(self.used)
        self._ends.append(self.used + len(text))
        self._parts += (text, b"\n")
        self.used += len(text) + 1

    def flushed(self) -> Iterator[Piece]:
        """Yield what has gathered."""
        if self._names:
            data = b"".join(self._parts)
            yield Piece(self._names, data, self._starts, self._ends, self.kinds, self.depth)
            self._begin()

    def long(self, name: str, read: Read) -> Iterator[Piece]:
        """Yield a long member in windows."""
        for window in windows(read):
            size = len(window.data)
            yield Piece([name], window.data, [0], [size], self.kinds, self.depth, window)
