"""What git lists of a repository: every object with its type and its size."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from hashlib import blake2b
from io import BytesIO
from itertools import compress
from typing import IO, Protocol

import msgspec

from scanner.lazy import lazy
from scanner.sources.gitrun import Repository, failed, output, start
from scanner.sources.ids import KINDS, Ids

_FIELDS = 3  # name, type, size
_LINE = lazy(rb"^([0-9a-f]+) (\w+) (\d+)$", re.MULTILINE)
_LISTED = 1 << 20  # bytes of a listing that are taken apart at once
_LONG = 8 << 20  # … and of one that is worth numpy, which is slow to import
_PAUSE = 0.005
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
            plan = _planned(_Growing(self._git, self._out))  # while git goes on
            if self._git.wait() != 0:
                self._errors.seek(0)
                raise failed(self._repository, "cat-file", self._errors.read())
            return plan

    def close(self) -> None:
        """Stop git where nobody waits for it any more."""
        if self._git.poll() is None:
            self._git.kill()
            self._git.wait()
        self._out.close()
        self._errors.close()


class _Growing:
    """A file that git writes to, read up to where git ended."""

    def __init__(self, git: subprocess.Popen[bytes], file: IO[bytes]) -> None:
        self._git, self._file, self._at = git, file, 0
        if not hasattr(os, "pread"):  # where git writes and where we read would be one
            git.wait()

    def read(self, size: int) -> bytes:
        """Return some bytes, as soon as there are any; none at the end."""
        while True:
            ended = self._git.poll() is not None
            part = self._next(size)
            self._at += len(part)
            if part or ended:
                return part
            time.sleep(_PAUSE)

    def _next(self, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), size, self._at)
        self._file.seek(self._at)
        return self._file.read(size)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def plan_of(repository: Repository, names: bytes) -> Plan:
    """List the objects named, a line each."""
    told = output(repository, "cat-file", "--buffer", "--batch-check", stdin=names)
    return _planned(BytesIO(told))


def _planned(stream: _Readable) -> Plan:
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
        self.read = 0

    def add(self, lines: bytes) -> None:
        """Take over some whole lines."""
        self.read += len(lines)
        if self.read < _LONG or not self._in_columns(lines):
            self._word_by_word(lines)

    def _in_columns(self, lines: bytes) -> bool:
        """Take over lines of which each is of an object; say whether they are."""
        from scanner.sources.listed import listed  # noqa: PLC0415  (numpy is slow to import)

        found = listed(lines)
        if found is None:
            return False
        for kind, count, size in zip(_TOLD, found.counts, found.sizes, strict=True):
            self.counts[kind] += count
            self.sizes[kind] += size
        self.names += found.names
        self.types += found.types
        self.widths.add(found.width)
        return True

    def _word_by_word(self, lines: bytes) -> None:
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
