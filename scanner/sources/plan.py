"""What git lists of a repository: every object with its type and its size."""

import re
import tempfile
from collections.abc import Sequence
from hashlib import blake2b
from io import BytesIO
from itertools import compress
from typing import IO

import msgspec

from scanner.lazy import lazy
from scanner.sources.gitrun import Repository, failed, output, start
from scanner.sources.ids import Ids

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
