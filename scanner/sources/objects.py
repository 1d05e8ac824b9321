"""Every object of a git repository as one stream, many objects to a buffer."""

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import IO

import msgspec

from scanner.archives.kinds import HEAD, Container, kind_of
from scanner.batch import Batch, window_batch
from scanner.sources.files import Packed
from scanner.sources.gitrun import Repository, said, start
from scanner.windows import WINDOW, windows

_BUFFER = 4 << 20
_WHOLE = 64 << 20  # larger objects come in windows, archives among them in a temporary file
_COPIED = 4 << 30  # … of so many bytes at most
_HEADER = 256  # no header line is longer
_PIPE = 1 << 20
_FIELDS = 3  # name, type, size


class Read(msgspec.Struct):
    """What came out of git.

    Attributes:
        objects, size: contents that came whole, and their bytes.
        problems: what did not, a sentence each.
        tick: told of objects as they come.
    """

    objects: int = 0
    size: int = 0
    problems: list[str] = msgspec.field(default_factory=list)
    tick: Callable[[int], None] = lambda _: None


def batches(repository: Repository, names: Sequence[bytes], read: Read) -> Iterator[Batch | Packed]:
    """Read objects, going on behind one that git cannot give.

    Git is restarted behind a corrupt object. When git was killed it is started once more.

    Args:
        repository: where from.
        names: object ids.
        read: is filled in as objects come.
    """
    at, buffered, killed = 0, True, 0
    while at < len(names):
        stream = _Stream(repository, names[at:], read, buffered=buffered)
        yield from stream.batches()
        at += stream.done
        if at >= len(names) and stream.status == 0:
            return
        if stream.status < 0 or stream.status == 0:
            read.problems.append(f"git stopped early ({stream.said})")
            killed += 1
            if killed > 1:
                read.problems.append(f"{len(names) - at} objects were not read")
                return
        elif buffered:
            buffered = False  # so that the last thing it wrote tells which object is to blame
            continue
        elif at < len(names):
            read.problems.append(f"object {names[at].decode()} cannot be read: {stream.said}")
            at += 1
        buffered = True


class _Stream:
    """One run of `git cat-file --batch`."""

    def __init__(
        self, repository: Repository, names: Sequence[bytes], read: Read, *, buffered: bool
    ) -> None:
        self.names, self.read = names, read
        self.done, self.status, self.said = 0, 0, ""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the stream)
        arguments = ["cat-file", "--batch", *(["--buffer"] if buffered else [])]
        with tempfile.TemporaryFile() as wanted:
            wanted.write(b"\n".join(names) + b"\n")
            wanted.seek(0)
            self._git = start(repository, *arguments, stdin=wanted, stderr=self._errors)
        assert self._git.stdout is not None
        self._out = self._git.stdout
        _widen(self._out)

    def batches(self) -> Iterator[Batch | Packed]:
        """Yield objects until git ends."""
        try:
            yield from self._read_all()
        finally:
            self._out.close()
            self.status = self._git.wait()
            self._errors.seek(0)
            self.said = said(self._errors.read()) if self.status >= 0 else f"signal {-self.status}"
            self._errors.close()

    def _read_all(self) -> Iterator[Batch | Packed]:
        buffer = bytearray(_BUFFER)
        buffer[0:1] = b"\n"
        have, ended = 1, False
        while not ended:
            have, ended = self._fill(buffer, have)
            batch, position = self._parsed(buffer, have)
            if batch.starts:
                yield batch
                self._count(len(batch.starts), sum(batch.ends) - sum(batch.starts))
            if position == 1 and not ended and have == len(buffer):
                have = yield from self._large(buffer, have)
                continue
            buffer[1 : have - position + 1] = buffer[position:have]
            have -= position - 1

    def _count(self, objects: int, size: int) -> None:
        self.done += objects
        self.read.objects += objects
        self.read.size += size
        self.read.tick(objects)

    def _fill(self, buffer: bytearray, have: int) -> tuple[int, bool]:
        with memoryview(buffer) as view:
            while have < len(buffer):
                got = self._out.readinto(view[have:])  # type: ignore[attr-defined]
                if not got:
                    return have, True
                have += got
        return have, False

    def _parsed(self, buffer: bytearray, have: int) -> tuple[Batch, int]:
        """Find the objects that lie whole in the buffer, and where the next one begins."""
        starts: list[int] = []
        ends: list[int] = []
        names: list[bytes] = []
        position, find = 1, buffer.find
        while (line := find(b"\n", position, min(position + _HEADER, have))) >= 0:
            fields = bytes(buffer[position:line]).split(b" ")
            if len(fields) != _FIELDS:
                self.read.problems.append(_complaint(fields))
                self.done += 1
                position = line + 1
                continue
            end = line + 1 + int(fields[2])
            if end >= have:
                break
            starts.append(line + 1)
            ends.append(end)
            names.append(fields[0])
            position = end + 1
        return Batch(buffer, position, starts, ends, names), position

    def _large(self, buffer: bytearray, have: int) -> Generator[Batch | Packed, None, int]:
        """Read an object that is larger than the buffer; returns the filled length after it."""
        line = buffer.index(b"\n", 1)
        fields = bytes(buffer[1:line]).split(b" ")
        size = int(fields[2])
        begun = bytes(buffer[line + 1 : have])
        reader = _Exactly(self._out, begun, size)
        copied = True
        kind = kind_of(begun[:HEAD]) if _WHOLE <= size <= _COPIED else None
        if kind:
            copied = yield from self._copied(kind, fields[0], reader)
        else:
            for window in windows(reader.read, size + 1 if size < _WHOLE else WINDOW):
                yield window_batch(window, fields[0])
        if reader.left:
            self.said = "the stream ended early"
            return 1
        if copied:
            self._count(1, size)
        else:
            self.done += 1
        self._out.read(1)
        return 1

    def _copied(
        self, kind: Container, name: bytes, reader: "_Exactly"
    ) -> Generator[Packed, None, bool]:
        """Copy an archive to where one can go to and fro in it; says whether there was room."""
        try:
            with tempfile.TemporaryFile() as copy:
                while part := reader.read(_PIPE):
                    copy.write(part)
                copy.seek(0)
                yield Packed(kind, name, copy)
        except OSError as error:
            self.read.problems.append(
                f"object {name.decode()}: no room for a copy of an archive of "
                f"{reader.size >> 20} MiB ({error.strerror})"
            )
            while reader.read(_PIPE):
                pass
            return False
        return True


class _Exactly:
    """Reads a stated number of bytes: some that are there already, the others from a stream."""

    def __init__(self, stream: IO[bytes], begun: bytes, size: int) -> None:
        self._stream, self._begun, self.size, self.left = stream, begun, size, size

    def read(self, size: int) -> bytes:
        if self._begun:
            got, self._begun = self._begun[:size], self._begun[size:]
        else:
            got = self._stream.read(min(size, self.left)) if self.left else b""
        self.left -= len(got)
        return got


def _complaint(fields: list[bytes]) -> str:
    told = b" ".join(fields).decode("utf-8", "replace")
    return f"object {told}"


def _widen(stream: IO[bytes]) -> None:
    """Let the pipe hold more, so that git and we wait for one another less often."""
    try:
        import fcntl  # noqa: PLC0415  (not on Windows)

        fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    except (ImportError, AttributeError, OSError):
        return
