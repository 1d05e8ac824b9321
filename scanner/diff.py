r"""Diffs: what is added, under the name and at the line that it will have.

Read are the unified format of `diff -u`, that of git with its headers, the combined format of
merges, and what `git log -p`, `git show` and `git format-patch` put around them. The counts in a
hunk's header say where it ends, so that no content is taken for a header.

Sources: POSIX diff, "Diff -u Output Format"; git-diff(1), "Generating patch text with -p" and
"Combined diff format".
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from vocabulary.finding import Place

_BEGINS = re.compile(
    rb"(?: ?[^\n]+ \| [^\n]+\n)*(?: \d+ files? changed[^\n]*\n)?\s*"  # what --stat says
    rb"(?:diff --(?:git|cc|combined) |From [0-9a-f]{40,64} |commit [0-9a-f]{40,64}\b"
    rb"|Index: [^\n]+\n=+\r?\n|--- [^\n]*\n\+\+\+ [^\n]*\n@@ )"
)
_ANSI = re.compile(rb"\x1b\[[0-9;:?]*[A-Za-z]")
_HUNK = re.compile(rb"(@{2,9}) ((?:-\d+(?:,\d+)? )+)\+(\d+)(?:,(\d+))? \1")
_COUNT = re.compile(rb"-\d+(?:,(\d+))?")
_COMMIT = re.compile(rb"(?:commit|From) ([0-9a-f]{40,64})\b")
_AUTHOR = re.compile(rb"(?:Author|From): +([^\n]{1,300})")
_PREFIXES = {b"a/", b"b/", b"c/", b"i/", b"w/", b"o/", b"1/", b"2/"}
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f"}
_FLUSH = 4 << 20
_KEPT = 100
"""Lines that two parts of one file's diff share, so that no secret of several lines is cut."""


class Section(msgspec.Struct):
    """A stretch of a diff that becomes one text.

    Attributes:
        place: of the file, or of a message.
        lines: without their prefix.
        numbers: line of the new file of each.
        added: whether it is new, of each.
    """

    place: Place
    lines: list[bytes] = msgspec.field(default_factory=list)
    numbers: list[int] = msgspec.field(default_factory=list)
    added: list[bool] = msgspec.field(default_factory=list)

    def put(self, line: bytes, number: int, *, added: bool) -> None:
        """Append a line."""
        self.lines.append(line)
        self.numbers.append(number)
        self.added.append(added)

    def rest(self) -> "Section":
        """Return the last lines, to go on with."""
        return Section(self.place, self.lines[-_KEPT:], self.numbers[-_KEPT:], self.added[-_KEPT:])


class Counts(msgspec.Struct):
    """What a diff held that is not scanned."""

    removed: int = 0
    binary: int = 0


def begins(head: bytes) -> bool:
    """Say whether a text that begins with these bytes is a diff."""
    return bool(_BEGINS.match(_ANSI.sub(b"", head[:4096])))


def sections(lines: Iterable[bytes], counts: Counts) -> Iterator[Section]:
    """Read a diff.

    Args:
        lines: with their line ends.
        counts: is filled in.
    """
    yield from _Reader(counts).read(lines)


class _Reader:
    """Where in a diff we are."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._commit, self._author = "", ""
        self._old, self._new = b"", b""
        self._in_head = False
        self._olds: list[int] = []
        self._left, self._number, self._size = 0, 0, 0
        self._section = Section(Place(path="(diff)"))

    def read(self, lines: Iterable[bytes]) -> Iterator[Section]:
        for number, raw in enumerate(lines, 1):
            line = _ANSI.sub(b"", raw) if b"\x1b[" in raw else raw
            if self._left > 0 or any(count > 0 for count in self._olds):
                self._content(line)
            elif hunk := _HUNK.match(line):
                yield from self._begun(hunk, line)
            else:
                yield from self._outside(line, number)
            self._size += len(line)
            if self._size > _FLUSH:
                yield self._section
                self._section, self._size = self._section.rest(), 0
        if self._section.lines:
            yield self._section

    def _begun(self, hunk: re.Match[bytes], line: bytes) -> Iterator[Section]:
        """Begin a hunk; what git repeats behind the counts is a line above it, not a new one."""
        del line
        path = _path(self._old, self._new)
        if self._section.place.path != path or self._section.place.commit != self._commit:
            yield from self._change(Place(path=path, commit=self._commit, author=self._author))
        self._olds = [int(count or 1) for count in _COUNT.findall(hunk[2])]
        self._number, self._left = int(hunk[3]), int(hunk[4] or 1)
        self._in_head = False

    def _change(self, place: Place) -> Iterator[Section]:
        if self._section.lines:
            yield self._section
        self._section, self._size = Section(place), 0

    def _content(self, line: bytes) -> None:
        width = len(self._olds)
        if line.startswith(b"\\"):  # "\ No newline at end of file"
            return
        prefix = line[:width] if line.strip(b"\r\n") else b" " * width
        removed = b"-" in prefix
        for at in range(width):
            sign = prefix[at : at + 1]
            self._olds[at] -= sign == (b"-" if removed else b" ")
        if removed:
            self._counts.removed += 1
            return
        self._left -= 1
        self._section.put(line[width:], self._number, added=b"+" in prefix)
        self._number += 1

    def _outside(self, line: bytes, number: int) -> Iterator[Section]:
        """Read a header or a message."""
        if line.startswith((b"diff --", b"Index: ")):
            self._old = self._new = b""
            self._in_head = True
        elif line.startswith(b"--- ") and len(line) > 5:  # noqa: PLR2004  (`---` ends a message)
            self._old, self._in_head = _name(line[4:]), True
        elif line.startswith(b"+++ ") and self._in_head:
            self._new = _name(line[4:])
        elif self._in_head and line.startswith((b"Binary files ", b"GIT binary patch")):
            self._counts.binary += 1
        elif found := _COMMIT.match(line):
            self._commit, self._author, self._in_head = found[1].decode(), "", False
            yield from self._change(Place(path="(commit message)", commit=self._commit))
        else:
            yield from self._said(line, number)

    def _said(self, line: bytes, number: int) -> Iterator[Section]:
        """Keep a line of a message or of a header that says nothing to us."""
        if not self._author and (found := _AUTHOR.match(line)):
            self._author = found[1].strip().decode("utf-8", "replace")
            self._section.place = Place(
                path=self._section.place.path, commit=self._commit, author=self._author
            )
        if self._section.numbers and self._section.place.path not in {"(diff)", "(commit message)"}:
            yield from self._change(Place(path="(diff)", commit=self._commit, author=self._author))
        self._section.put(line, number, added=True)


def _name(field_: bytes) -> bytes:
    """Return the file name of a `---` or `+++` line."""
    name = field_.rstrip(b"\r\n")
    if name.startswith(b'"') and (end := name.rfind(b'"')) > 0:
        return _ESCAPE.sub(_unescaped, name[1:end])
    return name.split(b"\t", 1)[0]


def _unescaped(found: re.Match[bytes]) -> bytes:
    said = found[1]
    if len(said) == 3:  # noqa: PLR2004  (octal)
        return bytes([int(said, 8) & 0xFF])
    return _LETTERS.get(said, said)


def _path(old: bytes, new: bytes) -> str:
    """Return the new file's path, without the prefixes that git puts before names."""
    path = new or old or b"(diff)"
    there = b"/dev/null"
    if new[:2] in _PREFIXES and (old[:2] in _PREFIXES or old == there):
        path = new[2:]
    return path.decode("utf-8", "surrogateescape")
