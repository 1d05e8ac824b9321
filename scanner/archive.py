"""Containers: what is compressed or packed is opened as it streams by, within limits.

Each kind of container is a file in scanner/archives/. Small members are laid end to end, many to
a piece, and long ones come in windows, so that neither ten million members nor one of ten
gigabytes cost more than their bytes.
"""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from typing import IO, Protocol, cast

import msgspec

from scanner.pieces import Pack, Piece
from scanner.reading import (
    DamagedError,
    LimitError,
    Read,
    Stream,
    broken,
    filled,
    gone_to_and_fro,
)

MAX_DEPTH = 5
MAX_MEMBERS = 100_000
"""Of kinds whose table of contents is read whole."""
MAX_BYTES = 1 << 30
MAX_FOLD = 20
"""An archive may unfold to `MAX_BYTES`, or so many times its own size where that is more."""
MAX_RATIO = 200
_FREE = 16 << 20  # no ratio is too high for so few bytes
SMALL = 256 << 10
TAR_MAGIC = 257
_PIECE = 4 << 20


class Budget(msgspec.Struct):
    """What one outermost archive may still unfold to.

    Attributes:
        packed: bytes of the outermost archive.
        used: bytes that it has unfolded to.
        notes: what was left out, and why.
        opened: containers by kind.
    """

    packed: int
    used: int = 0
    notes: list[str] = msgspec.field(default_factory=list)
    opened: dict[str, int] = msgspec.field(default_factory=dict)

    def take(self, size: int) -> None:
        """Count unfolded bytes.

        Raises:
            LimitError: there is too much of it.
        """
        self.used += size
        if self.used > max(MAX_BYTES, self.packed * MAX_FOLD):
            raise LimitError(f"unfolds to more than {MAX_BYTES >> 20} MiB and {MAX_FOLD}-fold")
        if self.used > max(_FREE, self.packed * MAX_RATIO):
            raise LimitError(f"unfolds more than {MAX_RATIO}-fold")


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


def unfold(
    kind: Container,
    raw: IO[bytes],
    budget: Budget,
    prefix: str = "",
    kinds: tuple[str, ...] = (),
    depth: int = 1,
) -> Iterator[Piece]:
    """Yield all that an archive holds, and all that archives in it hold.

    What cannot be read, and what goes beyond the limits, is said in `budget.notes`.

    Args:
        kind: of the archive.
        raw: the archive.
        budget: of the outermost.
        prefix: name of the archive within the outermost.
        kinds: containers on the way to it.
        depth: how many that are, and this one.
    """
    if depth > MAX_DEPTH:
        budget.notes.append(f"archive is nested deeper than {MAX_DEPTH}")
        return
    budget.opened[kind.name] = budget.opened.get(kind.name, 0) + 1
    below = (*kinds, kind.name) if kind.named else kinds
    pack = Pack(below, depth)

    def note(said: str) -> None:
        budget.notes.append(f"{prefix}!{said}" if prefix else said)

    try:
        with gone_to_and_fro(raw) if kind.seeks else nullcontext(raw) as opened:
            for name, read in kind.open(opened, note):
                whole = f"{prefix}!{name}" if name else prefix
                counted = _counted(read, whole, budget, packs=kind.packs)
                yield from _member(pack, whole, counted, budget)
    except LimitError as error:
        budget.notes.append(f"{kind.name} archive {error}")
    except broken() as error:
        budget.notes.append(f"{kind.name} archive is damaged: {_said(error)}")
    yield from pack.flushed()


def _member(pack: Pack, name: str, read: Read, budget: Budget) -> Iterator[Piece]:
    head = filled(read, SMALL)
    inner = kind_of(head)
    if inner:
        yield from pack.flushed()
        if len(head) < SMALL:
            yield from unfold(inner, io.BytesIO(head), budget, name, pack.kinds, pack.depth + 1)
        elif inner.also:
            with gone_to_and_fro(Stream(head, read)) as kept:
                yield from unfold(inner, kept, budget, name, pack.kinds, pack.depth + 1)
                kept.seek(0)
                yield from pack.long(name, kept.read)
        else:
            stream = cast("IO[bytes]", Stream(head, read))
            yield from unfold(inner, stream, budget, name, pack.kinds, pack.depth + 1)
        if len(head) >= SMALL or not inner.also:
            return
    if len(head) < SMALL:
        if pack.used + len(head) + 1 > _PIECE:
            yield from pack.flushed()
        pack.put(name, head)
    else:
        yield from pack.flushed()
        yield from pack.long(name, Stream(head, read).read)


def _said(error: Exception) -> str:
    """Name a library's error without repeating what it read."""
    if isinstance(error, DamagedError):
        return str(error)
    return {"EOFError": "it ends too early", "BadZipFile": "not a whole zip archive"}.get(
        type(error).__name__, type(error).__name__
    )


def _counted(read: Read, name: str, budget: Budget, *, packs: bool) -> Read:
    """Read within the budget; a member that breaks ends there, and is noted."""
    ended = False

    def some(size: int) -> bytes:
        nonlocal ended
        if ended:
            return b""
        try:
            got = read(min(size, 1 << 20))
        except LimitError:
            raise
        except broken() as error:
            ended = True
            budget.notes.append(f"{name.lstrip('!') or 'archive'} is damaged: {_said(error)}")
            return b""
        if packs:
            budget.take(len(got))
        return got

    return some


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
)
