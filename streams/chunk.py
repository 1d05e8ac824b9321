"""What a source of log lines gives, and what is asked of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from streams.checkpoint import Position


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines in order of arrival, and where to go on behind them.

    Attributes:
        source: name of the source.
        lines: without their line feeds.
        offsets: where each line stands: the byte of a file, the offset in a partition, or the
            number of a line of standard input.
        position: for `open`, once these lines are dealt with.
        origin: what all lines have in common, such as the file's name.
        partitions: of each line, for a topic.
        stamps: of each line, where lines of several partitions or files are in an order: what
            comes before partition and offset in it.
        refused: lines that are of no use, by their index, and why.
        behind: how much waits behind these lines, bytes of a file or records of a partition; None
            where nobody can tell.
    """

    source: str
    lines: Sequence[bytes]
    offsets: Sequence[int]
    position: Position
    origin: Mapping[str, Any] = field(default_factory=dict)
    partitions: Sequence[int] = ()
    stamps: Sequence[int] = ()
    refused: Sequence[tuple[int, str]] = ()
    behind: int | None = None

    @property
    def family(self) -> str:
        """The name of the source; of an object that of its folder, however many there are."""
        return str(self.position.get("folder") or self.source)

    def usable(self) -> "Chunk":
        """Return the chunk with blanks, which are passed over, in place of what is refused."""
        if not self.refused:
            return self
        gone = {number for number, _ in self.refused}
        lines = [b"" if number in gone else line for number, line in enumerate(self.lines)]
        return replace(self, lines=lines, refused=())

    def place(self, line: int) -> dict[str, Any]:
        """Return where a line stands, for a dead letter."""
        where = {**self.origin, "offset": self.offsets[line]}
        for name, values in (("partition", self.partitions), ("stamp", self.stamps)):
            if values:
                where[name] = values[line]
        return where


class Source(Protocol):
    """Where log lines come from; a context manager that closes itself."""

    name: str

    @property
    def done(self) -> bool:
        """Whether nothing more will ever come."""
        ...

    def open(self, position: Position | None) -> None:
        """Go on at a position, or begin.

        Raises:
            TargetError: when what should be read cannot be.
            ServiceError: when a service is away.
        """
        ...

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return what there is, or None when nothing came in time or nothing is left."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


@runtime_checkable
class Pausable(Protocol):
    """A source that must be asked even while nothing is wanted of it, to stay a member."""

    def pause(self) -> None:
        """Give nothing more for now."""
        ...

    def resume(self) -> None:
        """Give again."""
        ...


@runtime_checkable
class Patchy(Protocol):
    """A source of many parts, some of which may not be readable just now."""

    @property
    def failed(self) -> Mapping[str, str]:
        """Name → error of what is tried again later."""
        ...


@runtime_checkable
class Answering(Protocol):
    """A source whose senders are told what came of their lines."""

    def note_dead(self, offsets: Sequence[int]) -> None:
        """Hear which lines of the chunk that was given last are dead letters, by their offsets."""
        ...


@runtime_checkable
class Shared(Protocol):
    """A source whose parts are read by several workers."""

    @property
    def parts(self) -> set[str]:
        """Names of the sources of chunks that are ours now."""
        ...
