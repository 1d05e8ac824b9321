"""Folders whose objects are written once: a bucket, or a directory that something delivers to.

So AWS delivers the logs of CloudTrail, load balancers and CloudFront:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
"""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from streams.checkpoint import Position
from streams.chunk import Chunk
from streams.retries import Retries
from streams.sources.closing import Closing
from vocabulary.errors import KeywatchError, TargetError

MAX_OBJECT = 256 << 20
"""Bytes of an object, unpacked; a larger one is told of and left out."""

LOOK_S = 10.0
_LONGEST_S = 600.0
_ANY_GZIP_WINDOW = 31
_GZIP = b"\x1f\x8b"

Unfold = Callable[[bytes], list[bytes]]


class Folder(Protocol):
    """Where objects are listed and read."""

    name: str

    def keys(self) -> Iterator[str]:
        """Yield the names of all objects."""
        ...

    def read(self, key: str, longest: int) -> bytes:
        """Return an object; of a longer one no more than one byte beyond that.

        Raises:
            TargetError: when it cannot be had.
        """
        ...


class Directory:
    """A directory as a folder of objects; what does not end in `suffix` is left alone."""

    def __init__(self, path: Path, suffix: str = "") -> None:
        self.name, self._path, self._suffix = f"objects:{path.absolute()}", path, suffix

    def keys(self) -> Iterator[str]:
        """Yield the paths of all files below, without hidden and unfinished ones.

        Raises:
            TargetError: when there is no such directory.
        """
        if not self._path.is_dir():
            raise TargetError("no such directory", where=str(self._path), remedy="check the path")
        for path in self._path.rglob("*"):
            key = path.relative_to(self._path).as_posix()
            unfinished = path.name.startswith(".") or path.suffix in {".tmp", ".part"}
            if not unfinished and key.endswith(self._suffix) and path.is_file():
                yield key

    def read(self, key: str, longest: int) -> bytes:
        """Return a file."""
        try:
            with (self._path / key).open("rb") as file:
                return file.read(longest + 1)
        except OSError as error:
            what = (error.strerror or "unreadable").lower()
            raise TargetError(
                what, where=str(self._path / key), remedy="check its rights"
            ) from error


class ObjectSource(Closing):
    """The lines of objects, each object once, in the order of their names as far as known.

    Args:
        folder: where they are.
        seen: asked for the committed positions of all objects of the folder, by source name.
        unfold: from an object's text to lines, where one line holds many records.
        once: be done when all that is listed is read.
        tell: called with what a person should know.
        clock: seconds.
    """

    def __init__(
        self,
        folder: Folder,
        seen: Callable[[str], Mapping[str, Position]],
        *,
        unfold: Unfold | None = None,
        once: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = folder.name
        self._folder, self._seen, self._unfold = folder, seen, unfold
        self._once, self._tell, self._clock = once, tell, clock
        self._positions: dict[str, Position] = {}
        self._finished: set[str] = set()
        self._waiting: list[str] = []
        self._lines: list[bytes] = []
        self._key: str | None = None
        self._at = 0
        self._looked = float("-inf")
        self._retries = Retries(tell, clock, longest_s=_LONGEST_S)
        self._failed: TargetError | None = None

    @property
    def failed(self) -> Mapping[str, str]:
        """The folder, where it cannot be listed or some of its objects cannot be read, and why."""
        failed = list(self._retries.failed.values())
        if not failed:
            return {}
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        return {self.name: f"{failed[0]}{more}"}

    @property
    def done(self) -> bool:
        """Whether all that was listed is read."""
        return self._once and not self._waiting and self._key is None and not self._failed

    def open(self, position: Position | None = None) -> None:
        """Go on from what is committed.

        Raises:
            TargetError: when the folder cannot be listed.
        """
        del position
        prefix = f"{self.name}/"
        self._positions = {
            name.removeprefix(prefix): one for name, one in self._seen(prefix).items()
        }
        self._finished = {key for key, one in self._positions.items() if one.get("done")}
        self._waiting, self._key, self._lines = [], None, []
        self._retries = Retries(self._tell, self._clock, longest_s=_LONGEST_S)
        self._look()

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return lines of the object whose turn it is.

        Raises:
            TargetError: with `once`, when an object could not be read; all others were.
        """
        del timeout_s
        while self._key is None:
            if not self._waiting and not self._looked_again():
                self._raise_failed()
                return None
            self._load(self._waiting.pop(0))
        lines = self._lines[self._at : self._at + max_lines]
        offsets = list(range(self._at + 1, self._at + len(lines) + 1))
        self._at += len(lines)
        key, last = self._key, self._at >= len(self._lines)
        if last:
            self._key, self._lines = None, []
            self._finished.add(key)
        position = {"line": self._at, "done": last, "folder": self.name}
        return Chunk(f"{self.name}/{key}", lines, offsets, position, {"object": key})

    def close(self) -> None:
        """There is nothing to let go of."""

    def _raise_failed(self) -> None:
        error, self._failed = self._failed, None
        if error is not None:
            raise error

    def _looked_again(self) -> bool:
        if self._once or self._clock() - self._looked < LOOK_S:
            return False
        try:
            self._look()
        except KeywatchError as error:
            self._retries.fail(self.name, str(error))
        else:
            self._retries.succeed(self.name)
        return bool(self._waiting)

    def _look(self) -> None:
        self._looked = self._clock()
        listed = set(self._folder.keys())
        for gone in set(self._retries.failed) - listed - {self.name}:
            self._retries.forget(gone)
        fresh = listed - self._finished
        self._waiting = sorted(key for key in fresh if self._retries.is_due(key))

    def _load(self, key: str) -> None:
        """Read an object; one that cannot be read is told of, and looked at again later."""
        try:
            text = self._text(key)
        except TargetError as error:
            if self._once:
                self._failed = error
                self._tell(str(error))
                self._finished.add(key)  # for this run
            else:
                self._retries.fail(key, str(error))
            return
        self._retries.succeed(key)
        pieces = self._unfold(text) if self._unfold else [text]
        self._lines = text.split(b"\n") if pieces == [text] else pieces
        while self._lines and not self._lines[-1].strip():
            self._lines.pop()
        self._key = key
        self._at = int(self._positions.get(key, {}).get("line", 0))

    def _text(self, key: str) -> bytes:
        where = f"{self.name}/{key}"
        raw = self._folder.read(key, MAX_OBJECT)
        try:
            text = _unpacked(raw) if raw.startswith(_GZIP) else raw
        except (zlib.error, EOFError) as error:
            raise TargetError("gzip data is damaged", where=where, remedy="get it again") from error
        if len(text) > MAX_OBJECT:
            raise TargetError(
                f"larger than {MAX_OBJECT >> 20} MiB", where=where, remedy="cut it up"
            )
        return text


def _unpacked(raw: bytes) -> bytes:
    """Unpack one or more gzip members, up to a byte beyond the limit."""
    parts, room = [], MAX_OBJECT + 1
    while raw and room > 0:
        member = zlib.decompressobj(_ANY_GZIP_WINDOW)
        part = member.decompress(raw, room)
        if not member.eof and not member.unconsumed_tail:
            raise EOFError
        parts.append(part)
        room -= len(part)
        raw = member.unused_data.lstrip(b"\0")
    return b"".join(parts)
