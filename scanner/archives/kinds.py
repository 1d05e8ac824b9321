"""Kinds of containers: how each is known by its first bytes, and who opens it.

Each is opened by a file of this folder, which is loaded when such an archive is met.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import IO, Protocol

import msgspec

from scanner.archives.reading import Read

MAX_MEMBERS = 100_000
"""Of kinds whose table of contents is read whole."""
TAR_MAGIC = 257
HEAD = 512
"""Bytes in which a container says what it is."""


class Opener(Protocol):
    """Opens one kind of container."""

    def __call__(self, raw: IO[bytes], note: Callable[[str], None]) -> Iterator[tuple[str, Read]]:
        """Yield members and how to read them, each before the next is asked for.

        Args:
            raw: the archive; `seek` works where the kind asks for it.
            note: told of members that are left out.

        Raises:
            LimitError, DamagedError, or an error of the library that reads the format.
        """
        ...


class Container(msgspec.Struct, frozen=True):
    """A kind of archive.

    Attributes:
        magic: pattern for hyperscan, of one width.
        at: where in the archive the magic ends.
        width: of the magic.
        packs: it compresses, so that what comes out counts against the limits.
        seeks: it needs an archive that it can go to and fro in.
        named: it shows in a finding's way of decodings.
        also: it is scanned as it is as well.
    """

    name: str
    magic: str
    at: int
    width: int
    open: Opener
    packs: bool = True
    seeks: bool = False
    named: bool = True
    also: bool = False

    def begins(self, head: bytes) -> bool:
        """Say whether a text that begins with these bytes is one."""
        pattern = re.compile(self.magic.encode(), re.DOTALL)
        return bool(pattern.match(head, self.at - self.width))


def kind_of(head: bytes) -> Container | None:
    """Return the kind of container that begins with these bytes; None for ordinary text."""
    if not _any().match(head) and head[TAR_MAGIC : TAR_MAGIC + 5] != b"ustar":
        return None  # decided in a microsecond, for members by the million
    return next((kind for kind in CONTAINERS if kind.begins(head)), None)


@cache
def _any() -> re.Pattern[bytes]:
    """Return a pattern for the magics that stand at the very beginning."""
    magics = [kind.magic.encode() for kind in CONTAINERS if kind.at == kind.width]
    return re.compile(b"|".join(magics), re.DOTALL)


def _from(module: str, function: str) -> Opener:
    """Return an opener whose library is loaded when such an archive is met."""

    def opened(raw: IO[bytes], note: Callable[[str], None]) -> Iterator[tuple[str, Read]]:
        found: Opener = getattr(import_module(f"scanner.archives.{module}"), function)
        return found(raw, note)

    return opened


CONTAINERS = (
    Container("zip", r"PK\x03\x04", 4, 4, _from("zipped", "members"), seeks=True),
    Container("gzip", r"\x1f\x8b\x08", 3, 3, _from("compressed", "gzip")),
    Container("bzip2", r"BZh[1-9]1AY&SY", 10, 10, _from("compressed", "bzip2")),
    Container("xz", r"\xfd7zXZ\x00", 6, 6, _from("compressed", "xz")),
    Container("zstd", r"\x28\xb5\x2f\xfd", 4, 4, _from("compressed", "zstd")),
    Container(
        "tar", r"ustar[\x00 ]", TAR_MAGIC + 6, 6, _from("tar", "members"), packs=False, named=False
    ),
    Container("7z", r"7z\xbc\xaf\x27\x1c", 6, 6, _from("sevenzip", "members"), seeks=True),
    Container("ar", r"!<arch>\n", 8, 8, _from("unix", "ar"), packs=False, named=False),
    Container("cpio", r"07070[12]", 6, 6, _from("unix", "cpio"), packs=False, named=False),
    Container("rpm", r"\xed\xab\xee\xdb", 4, 4, _from("rpm", "members"), packs=False),
    Container(
        "sqlite", r"SQLite format 3\x00", 16, 16, _from("sqlite", "members"), seeks=True, also=True
    ),
    Container("pdf", r"%PDF-", 5, 5, _from("pdf", "members"), seeks=True, also=True),
)
