"""Parts of a repository: what a branch adds, what is staged, and what a tag says."""

import os
import re
from collections.abc import Collection
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from scanner.lazy import lazy
from scanner.options import ScanOptions
from scanner.sources.gitrun import Repository, failed, output, start
from vocabulary.errors import RepositoryError, UsageError
from vocabulary.finding import Place

if TYPE_CHECKING:
    from scanner.sources.plan import Plan

_TAGGER = lazy(r"^tagger (.*>) (\d+) ([+-]\d{4})$", re.MULTILINE)


class Change(msgspec.Struct, frozen=True):
    """A path of which the index holds another blob than HEAD; `old` is empty for a new one."""

    path: str
    new: str
    old: str


def resolved(repository: Repository, revision: str) -> str:
    """Return the commit that a revision names.

    Raises:
        UsageError: it names none.
    """
    try:
        found = output(
            repository, "rev-parse", "--verify", "--quiet", "--end-of-options",
            f"{revision}^{{commit}}",
        )  # fmt: skip
    except RepositoryError:
        raise UsageError(
            f"no commit is called `{revision}`", where=str(repository.git_dir)
        ) from None
    return found.strip().decode()


def reachable(repository: Repository, options: ScanOptions) -> tuple[bytes, list[str]]:
    """Return the objects that --since and --branch ask for, a line each, and which are missing."""
    ends = [resolved(repository, options.branch)] if options.branch else ["--all", "--reflog"]
    if options.since:
        ends += ["--not", resolved(repository, options.since)]
    told = output(
        repository, "rev-list", "--objects", "--no-object-names", "--in-commit-order",
        "--missing=print", *ends,
    )  # fmt: skip
    if b"?" not in told:
        return told, []
    lines = told.splitlines(keepends=True)
    names = b"".join(line for line in lines if not line.startswith(b"?"))
    return names, sorted(line[1:].decode().strip() for line in lines if line.startswith(b"?"))


class Staged:
    """What the index changes against HEAD: asked of git at once, read when it is needed.

    Args:
        repository: that git need not have looked at before.

    Raises:
        TargetError: there is no git to start.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._git = start(
            repository, "diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev",
            "--no-ext-diff", "--no-textconv", "--diff-filter=AMT", "HEAD", "--",
        )  # fmt: skip

    def close(self) -> None:
        """Wait for git, whether anybody read what it says or not."""
        with self._git:
            pass

    def changes(self) -> list[Change]:
        """Return what it changes, or all of it before the first commit.

        Raises:
            RepositoryError: git cannot tell.
        """
        raw, complaint = self._git.communicate()
        if self._git.returncode != 0:
            return self._first(complaint)
        parts = raw.split(b"\0")
        return [
            _change(line, path)
            for line, path in zip(parts[::2], parts[1::2], strict=False)
            if not line.split(b" ")[1].startswith(_SUBMODULE)
        ]

    def _first(self, complaint: bytes) -> list[Change]:
        """Return the whole index, where there is no commit yet."""
        try:
            resolved(self._repository, "HEAD")
        except UsageError:
            listed = output(self._repository, "ls-files", "-z", "--stage")
            entries = [entry.partition(b"\t") for entry in listed.split(b"\0") if entry]
            return [
                Change(path.decode("utf-8", "surrogateescape"), left.split(b" ")[1].decode(), "")
                for left, _, path in entries
                if not left.startswith(_SUBMODULE)
            ]
        raise failed(self._repository, "diff-index", complaint)


_SUBMODULE = b"160000"


def _change(line: bytes, path: bytes) -> Change:
    _, _, old, new, _ = line.split(b" ")
    return Change(
        path.decode("utf-8", "surrogateescape"),
        new.decode(),
        old.decode() if old.strip(b"0") else "",
    )


def salt(repository: Repository, *, cached: bool = False) -> bytes:
    """Return what fingerprints of this repository are keyed with: its oldest root commit.

    To find it git walks all of history. A commit never changes its ancestors, so what was found
    for an earlier HEAD holds for one that follows it and brings no further root in.
    """
    try:
        head = output(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").strip()
        if not cached or repository.shallow:
            return _oldest_root(repository)
        return _remembered(repository, head.decode())
    except RepositoryError:
        return b""


def _oldest_root(repository: Repository, *without: str) -> bytes:
    roots = output(repository, "rev-list", "--max-parents=0", "HEAD", *without, "--")
    return roots.split()[-1] if roots.strip() else b""


def _remembered(repository: Repository, head: str) -> bytes:
    from scanner import cache  # noqa: PLC0415  (only once something is found)

    place = blake2b(os.fsencode(repository.git_dir), digest_size=16).hexdigest()
    before, _, root = (cache.read(f"root-{place}") or b"").decode("ascii", "replace").partition(" ")
    if not (_ID.fullmatch(before) and _ID.fullmatch(root) and _follows(repository, before)):
        root = _oldest_root(repository).decode()
    if root and before != head:
        cache.write(f"root-{place}", f"{head} {root}".encode())
    return root.encode()


def _follows(repository: Repository, before: str) -> bool:
    """Say whether HEAD follows a commit, and every root of HEAD is one of that commit's."""
    try:
        beyond = output(repository, "rev-list", "--max-count=1", before, "--not", "HEAD", "--")
    except RepositoryError:  # it is gone
        return False
    return not beyond.strip() and not _oldest_root(repository, f"^{before}")


_ID = lazy(r"[0-9a-f]{40}|[0-9a-f]{64}")


def lost(repository: Repository, plan: "Plan") -> list[str]:
    """Say which refs name an object that the repository does not hold: their history is not there.

    Where the commits themselves are gone, nothing else would miss what they led to.
    """
    listed = output(repository, "for-each-ref", "--format=%(objectname) %(refname)")
    named = dict(line.split(b" ", 1) for line in listed.splitlines())
    head = (repository.git_dir / "HEAD").read_bytes().strip()
    if _ID.fullmatch(head.decode("ascii", "replace")):
        named[head] = b"HEAD"
    return sorted(
        f"{named[oid].decode(errors='replace')} names {oid.decode()}, which is missing"
        for oid in absent(repository, set(named).difference(plan.names))
    )


def absent(repository: Repository, names: Collection[bytes]) -> set[bytes]:
    """Return the ids of which there is no object now: others came after objects were listed."""
    if not names:
        return set()
    asked = b"".join(name + b"\n" for name in names)
    told = output(repository, "cat-file", "--buffer", "--batch-check", stdin=asked).splitlines()
    return {line.split(b" ")[0] for line in told if line.endswith(b" missing")}


def tag_place(repository: Repository, name: str) -> Place:
    """Return where an annotated tag stands."""
    text = output(repository, "cat-file", "tag", name).decode("utf-8", "replace")
    head = dict(line.partition(" ")[::2] for line in text.partition("\n\n")[0].splitlines())
    found = _TAGGER.search(text)
    return Place(
        path=f"(message of tag {head.get('tag', name)})",
        commit=head.get("object", ""),
        blob=name,
        author=found[1] if found else "",
        date=_rfc3339(int(found[2]), found[3]) if found else "",
    )


def _rfc3339(seconds: int, zone: str) -> str:
    """Write git's time the way RFC 3339 does; empty for what is no time."""
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415  (rarely needed)

    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:])) * (-1 if zone[0] == "-" else 1)
    try:
        return datetime.fromtimestamp(seconds, timezone(offset)).isoformat()
    except (ValueError, OverflowError, OSError):
        return ""
