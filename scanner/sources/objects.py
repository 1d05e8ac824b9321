"""Every object of a git repository as one stream, many objects to a buffer."""

import re
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from hashlib import blake2b
from io import BytesIO
from itertools import compress
from typing import IO

import msgspec

from scanner.archives.kinds import Container, kind_of
from scanner.batch import Batch, window_batch
from scanner.lazy import lazy
from scanner.sources.files import Packed
from scanner.sources.gitrun import Repository, failed, output, said, start
from scanner.sources.ids import Ids
from scanner.windows import WINDOW, windows

_BUFFER = 4 << 20
_WHOLE = 64 << 20  # larger objects come in windows, archives among them in a temporary file
_COPIED = 4 << 30  # … of so many bytes at most
_MAGIC = 512
_HEADER = 256  # no header line is longer
_PIPE = 1 << 20
_FIELDS = 3  # name, type, size
_LINE = lazy(rb"^([0-9a-f]+) (\w+) (\d+)$", re.MULTILINE)
_LISTED = 1 << 20  # bytes of a listing that are taken apart at once
KINDS = ("blob", "commit", "tag", "tree")
_TOLD = tuple(kind.encode() for kind in KINDS)
_COMMIT, _TREE = (_TOLD.index(kind) for kind in (b"commit", b"tree"))


class Plan(msgspec.Struct, frozen=True):
    """What a repository holds.

    Attributes:
        names: object ids of all but trees, in the order of the packs.
        types: of each of them, as a place in `KINDS`.
        counts, sizes: objects and bytes by type.
        broken: lines of git that name no object.
        digest: of all that git told.
    """

    names: Sequence[bytes]
    types: bytes
    counts: dict[str, int]
    sizes: dict[str, int]
    broken: tuple[bytes, ...]
    digest: bytes

    def kinds(self, wanted: set[bytes]) -> dict[bytes, str]:
        """Return the types of some objects."""
        pairs = zip(self.names, self.types, strict=True) if wanted else ()
        return {name: KINDS[kind] for name, kind in pairs if name in wanted}

    def commits(self) -> bytes:
        """Return the ids of all commits, a line each."""
        chosen = compress(self.names, map(_COMMIT.__eq__, self.types))
        return b"".join(name + b"\n" for name in chosen)


class Listing:
    """Git listing every object there is, reachable or not, while something else is done."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed in plan)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        arguments = ("cat-file", "--batch-all-objects", "--unordered", "--batch-check")
        self._git = start(repository, *arguments, stdout=self._out, stderr=self._errors)

    def plan(self) -> Plan:
        """Wait for git.

        Raises:
            RepositoryError: it cannot list them.
        """
        with self._out, self._errors:
            status = self._git.wait()
            self._out.seek(0)
            self._errors.seek(0)
            if status != 0:
                raise failed(self._repository, "cat-file", self._errors.read())
            return _planned(self._out)

    def close(self) -> None:
        """Stop git where nobody waits for it any more."""
        if self._git.poll() is None:
            self._git.kill()
            self._git.wait()
        self._out.close()
        self._errors.close()


def plan_of(repository: Repository, names: bytes) -> Plan:
    """List the objects named, a line each."""
    told = output(repository, "cat-file", "--buffer", "--batch-check", stdin=names)
    return _planned(BytesIO(told))


def _planned(stream: IO[bytes]) -> Plan:
    """Take a listing apart, a piece at a time: whole it is larger than all that is kept of it."""
    told = _Told()
    rest = b""
    while part := stream.read(_LISTED):
        told.digest.update(part)
        part = rest + part
        end = part.rfind(b"\n") + 1
        rest = part[end:]
        told.add(part[:end])
    if rest:
        told.add(rest + b"\n")
    names = Ids(bytes(told.names)) if len(told.widths) <= 1 else bytes(told.names).split()
    return Plan(
        names,
        bytes(told.types),
        _spelled(told.counts),
        _spelled(told.sizes),
        tuple(told.broken),
        told.digest.digest(),
    )


def _spelled(told: dict[bytes, int]) -> dict[str, int]:
    return {kind.decode(): number for kind, number in told.items()}


class _Told:
    """What was read of a listing so far."""

    def __init__(self) -> None:
        self.names, self.types = bytearray(), bytearray()
        self.widths: set[int] = set()
        self.counts, self.sizes = dict.fromkeys(_TOLD, 0), dict.fromkeys(_TOLD, 0)
        self.broken: list[bytes] = []
        self.digest = blake2b(digest_size=16)

    def add(self, lines: bytes) -> None:
        """Take over some whole lines."""
        words = lines.split()
        names, kinds, sizes = (words[at::_FIELDS] for at in range(_FIELDS))
        whole = len(words) == _FIELDS * lines.count(b"\n")
        if not (whole and set(_TOLD).issuperset(kinds) and all(map(bytes.isdigit, sizes))):
            matched = [_LINE.fullmatch(line) for line in lines.splitlines()]
            self.broken += (
                line
                for line, found in zip(lines.splitlines(), matched, strict=True)
                if found is None or found[2] not in _TOLD
            )
            rows = [found.groups() for found in matched if found and found[2] in _TOLD]
            names, kinds, sizes = ([row[at] for row in rows] for at in range(_FIELDS))
        numbers = bytes(map(_TOLD.index, kinds))
        for kind, size in zip(kinds, map(int, sizes), strict=True):
            self.sizes[kind] += size
        for kind in _TOLD:
            self.counts[kind] += kinds.count(kind)
        kept = [name for name, number in zip(names, numbers, strict=True) if number != _TREE]
        self.widths.update(map(len, kept))
        self.names += b"".join(name + b"\n" for name in kept)
        self.types += numbers.translate(None, bytes((_TREE,)))


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
        kind = kind_of(begun[:_MAGIC]) if _WHOLE <= size <= _COPIED else None
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
