"""Archives opened as they stream by, within limits, and the archives in them.

Small members are laid end to end, many to a piece, and long ones come in windows, so that neither
ten million members nor one of ten gigabytes cost more than their bytes.
"""

import io
from collections.abc import Iterator
from contextlib import nullcontext
from typing import IO, cast

import msgspec

from scanner.archives.kinds import Container, kind_of
from scanner.archives.pieces import Pack, Piece
from scanner.archives.reading import (
    DamagedError,
    LimitError,
    Read,
    Stream,
    broken,
    filled,
    gone_to_and_fro,
)

MAX_DEPTH = 5
MAX_BYTES = 1 << 30
MAX_FOLD = 20
"""An archive may unfold to `MAX_BYTES`, or so many times its own size where that is more."""
MAX_RATIO = 200
_FREE = 16 << 20  # no ratio is too high for so few bytes
SMALL = 256 << 10
_PIECE = 4 << 20
_PIECE_MEMBERS = 20_000  # their names take more than such small texts


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
        if pack.used + len(head) + 1 > _PIECE or pack.count >= _PIECE_MEMBERS:
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
