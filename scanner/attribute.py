"""Who brought a blob in, when, and under which path: one walk over all commits, hits or none.

The walk also tells which blobs the trees name that the repository does not hold.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import msgspec

from scanner.lazy import lazy
from scanner.sources.gitrun import Repository, said, start

_FORMAT = "--format=%x01%H%x02%ct%x02%aI%x02%an <%ae>"
_CHUNK = 1 << 20
_ASKED = 1 << 14  # blobs that are looked for at once
LATER = 1 << 62
_DIGITS = 13
_DATE = lazy(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)")


Lacking = Callable[[Iterable[bytes]], set[bytes]]
"""Tells which of some ids of objects a repository does not hold."""


class Commit(msgspec.Struct, frozen=True):
    """What is told of a commit.

    Attributes:
        when: epoch seconds; `LATER` than any where what the commit says is none.
        date: the author's, RFC 3339; empty where what the commit says is none.
    """

    oid: str
    when: int
    date: str
    author: str


class Introduction(msgspec.Struct, frozen=True):
    """A commit that brought a blob in under a path."""

    commit: Commit
    path: str


class History(msgspec.Struct):
    """What the walk told.

    Attributes:
        blobs: of the blobs asked for, where they came in: the oldest commit of each path first.
        commits: of the commits asked for.
        missing: blobs that commits name and the repository lacks.
        problem: why the walk is not whole; empty when it is.
    """

    blobs: dict[str, list[Introduction]]
    commits: dict[str, Commit]
    missing: tuple[str, ...] = ()
    problem: str = ""

    def of(self, wanted: set[bytes]) -> "History":
        """Return what is told of some blobs and commits, and what is missing."""
        some = {name.decode() for name in wanted}
        blobs = {name: list(places) for name, places in self.blobs.items() if name in some}
        commits = {name: commit for name, commit in self.commits.items() if name in some}
        return History(blobs, commits, self.missing)

    def add(self, earlier: "History", wanted: set[bytes]) -> None:
        """Take over what an earlier walk told of what is wanted."""
        for blob, places in earlier.blobs.items():
            if blob.encode() in wanted:
                for place in places:
                    _place(self, blob, place)
        for oid, commit in earlier.commits.items():
            if oid.encode() in wanted:
                self.commits.setdefault(oid, commit)
        self.missing = tuple(sorted({*self.missing, *earlier.missing}))


class Walk:
    """A walk that runs beside the scan and is read when the hits are known."""

    def __init__(self, repository: Repository, commits: bytes) -> None:
        self._out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed in history)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryFile() as wanted:
            wanted.write(commits)
            wanted.seek(0)
            self._git = start(
                repository, "log", "--stdin", "--no-walk=unsorted", "--raw", "-c", "-z", "--root",
                "-r", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv",
                "--no-show-signature", "--no-notes", "--no-color", "--encoding=UTF-8", _FORMAT,
                stdin=wanted, stdout=self._out, stderr=self._errors,
            )  # fmt: skip

    def history(self, wanted: set[bytes], lacking: Lacking) -> History:
        """Wait for the walk and read it.

        Args:
            wanted: ids of blobs and commits that hit.
            lacking: tells which of some ids the repository does not hold.
        """
        status = self._git.wait()
        self._out.seek(0)
        self._errors.seek(0)
        with self._out, self._errors:
            found = _gathered(_tokens(self._out), wanted, lacking)
            if status != 0:
                found.problem = f"git log failed: {said(self._errors.read())}"
        return found


def _tokens(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while part := stream.read(_CHUNK):
        *whole, rest = (rest + part).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _gathered(tokens: Iterable[bytes], wanted: set[bytes], lacking: Lacking) -> History:
    history = History({}, {})
    missing: set[bytes] = set()
    named: set[bytes] = set()
    header = b""
    names = iter(tokens)
    for token in names:
        token = token.lstrip(b"\n")  # noqa: PLW2901  (what -z leaves between commit and diff)
        if token[:1] == b"\x01":
            header = token
            if token[1 : token.index(b"\x02")] in wanted:
                commit = _commit(token)
                history.commits[commit.oid] = commit
        elif token[:1] == b":":
            path = next(names, b"")
            mode, blob = _result(token)
            if blob in wanted:
                _introduce(history, blob.decode(), _commit(header), path)
            elif mode != _SUBMODULE:
                named.add(blob)
                if len(named) >= _ASKED:
                    missing |= lacking(named)
                    named.clear()
    missing |= lacking(named)
    history.missing = tuple(sorted(name.decode() for name in missing if name.strip(b"0")))
    return history


_SUBMODULE = b"160000"


def _result(raw: bytes) -> tuple[bytes, bytes]:
    """Return mode and id of what a raw diff line leads to; a merge's has a colon a parent."""
    fields = raw.split(b" ")
    parents = len(fields[0]) - len(fields[0].lstrip(b":"))
    return fields[parents], fields[2 * parents + 1]


def _commit(header: bytes) -> Commit:
    oid, when, date, author = header[1:].split(b"\x02", 3)
    return Commit(
        oid.decode(),
        int(when) if when.isdigit() and len(when) < _DIGITS else LATER,
        date.decode() if _DATE.fullmatch(date) else "",
        author.rstrip(b"\n").decode("utf-8", "replace"),
    )


def _introduce(history: History, blob: str, commit: Commit, path: bytes) -> None:
    _place(history, blob, Introduction(commit, path.decode("utf-8", "surrogateescape")))


def _place(history: History, blob: str, new: Introduction) -> None:
    """Keep, for each path, the oldest commit that brought the blob in."""
    places = history.blobs.setdefault(blob, [])
    for number, place in enumerate(places):
        if place.path == new.path:
            if new.commit.when < place.commit.when:
                places[number] = new
            return
    places.append(new)
