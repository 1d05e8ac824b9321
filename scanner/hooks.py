"""What each of git's hooks scans: only what the commit or the push would add.

Source: githooks(5), git-receive-pack(1) ("Quarantine Environment").
"""

import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from msgspec.structs import replace

from scanner import views
from scanner.options import ScanOptions
from scanner.receipt import Receipt
from scanner.run import Report, scan
from scanner.sources import gitrun, revisions
from scanner.sources.gitrun import Repository, output
from vocabulary.credential import Lookup
from vocabulary.finding import Confidence

KINDS = ("pre-commit", "commit-msg", "pre-push", "pre-receive")
_SCISSORS = re.compile(rb"^[^\n]{1,8} -{24} >8 -{24}$", re.MULTILINE)


def pre_commit(
    repository: Repository,
    environ: Mapping[str, str],
    options: ScanOptions,
    lookup: Lookup | None = None,
) -> Report:
    """Scan what a commit would add.

    `git commit -a` and `git commit FILE` prepare an index of their own and name it in the
    environment; what stands in the repository's index would not be what is committed.
    """
    staged = replace(options, staged=True)
    index = views.index_of_hook(repository, environ)
    if index is None:
        return scan(_root(repository), staged, lookup)
    with views.with_index(repository, index) as seen:
        return _named(scan(seen.git_dir, staged, lookup), repository)


def commit_msg(
    repository: Repository, file: Path, options: ScanOptions, lookup: Lookup | None = None
) -> Report:
    """Scan a commit's message, up to the scissors below which `git commit -v` shows the diff."""
    message = file.read_bytes()
    if found := _SCISSORS.search(message):
        message = message[: found.start()]
    key = options.fingerprint_key or revisions.salt(repository)
    asked = replace(options, stdin_name="(commit message)", diff=False, fingerprint_key=key)
    return scan("-", asked, lookup, stdin=io.BytesIO(message))


class Update(msgspec.Struct, frozen=True):
    """A ref that a push changes.

    Attributes:
        new: where it goes; empty when it is deleted.
        old: where it was on the other side; empty when it is new.
    """

    new: str
    old: str


def pushed(lines: Iterable[str]) -> list[Update]:
    """Read pre-push's lines: local ref, local object, remote ref, remote object."""
    fields = (line.split() for line in lines)
    return [Update(_named_id(f[1]), _named_id(f[3])) for f in fields if len(f) == 4]  # noqa: PLR2004


def received(lines: Iterable[str]) -> list[Update]:
    """Read pre-receive's lines: old object, new object, ref."""
    fields = (line.split() for line in lines)
    return [Update(_named_id(f[1]), _named_id(f[0])) for f in fields if len(f) == 3]  # noqa: PLR2004


def _named_id(field: str) -> str:
    return field if field.strip("0") else ""


def pre_push(
    repository: Repository,
    updates: Sequence[Update],
    remote: str,
    options: ScanOptions,
    lookup: Lookup | None = None,
) -> Report:
    """Scan the objects that the other side does not have, as far as is known here.

    Args:
        repository: from which is pushed.
        updates: of refs.
        remote: its name, or its address where it has none.
        options: how to scan.
        lookup: asks the key store.
    """
    new = [update.new for update in updates if update.new]
    old = _held(repository, [update.old for update in updates if update.old])
    there = [*old, *_tracked(repository, remote)]
    names = _between(repository, new, there)
    return _new(_root(repository), repository, names, old or there[:1], options, lookup)


def pre_receive(
    repository: Repository,
    updates: Sequence[Update],
    environ: Mapping[str, str],
    options: ScanOptions,
    lookup: Lookup | None = None,
) -> Report:
    """Scan the objects that a push brings in, on the side that takes it in.

    They lie in a quarantine until this hook accepts them; all of it is scanned, whether a ref
    leads there or not.
    """
    new = [update.new for update in updates if update.new]
    own, head = views.objects_of(repository), views.head_of(repository)
    tips = _held(repository, [*(update.old for update in updates if update.old), head or "HEAD"])
    quarantine = _quarantine(repository, environ, own)
    with ExitStack() as stack:
        seen = repository
        if quarantine:
            objects = [*quarantine, own, *_alternates(own)]
            first = head or next(iter(new), "")
            seen = stack.enter_context(views.view(first, objects))
            alone = stack.enter_context(views.view(first, quarantine))
            names = _absent(repository, _everything(alone))
        else:
            names = _between(repository, new, _refs(repository, "refs/"))
        return _new(seen.git_dir, repository, names, tips, options, lookup)


def _root(repository: Repository) -> Path:
    return repository.worktree or repository.git_dir


def _named(report: Report, repository: Repository) -> Report:
    report.receipt.target = str(_root(repository))
    return report


def _new(
    place: Path,
    repository: Repository,
    names: bytes,
    tips: Sequence[str],
    options: ScanOptions,
    lookup: Lookup | None,
) -> Report:
    """Scan some objects; what stood at the same path before the push is nothing new."""
    if not names:
        return Report((), Receipt(target=str(_root(repository)), source="git"))
    asked = replace(options, objects=names, allow_shallow=True)
    report = scan(place, asked, lookup)
    if report.findings and (before := _before(place, tips, report, options)):
        report = scan(place, replace(asked, baseline=options.baseline | before), lookup)
    return _named(report, repository)


def _before(
    place: Path, tips: Sequence[str], report: Report, options: ScanOptions
) -> frozenset[str]:
    """Return the fingerprints of findings whose secret stood at one of their paths before."""
    repository = gitrun.find(place)
    paths = {found.path for finding in report for found in finding.places}
    paths |= {path.partition("!")[0] for path in paths}  # what lies in an archive
    asked = [f"{tip}:{path}\n" for tip in tips for path in sorted(paths) if "\n" not in path]
    if repository is None or not asked:
        return frozenset()
    told = output(
        repository, "cat-file", "--batch-check=%(objectname) %(objecttype)",
        stdin="".join(asked).encode("utf-8", "surrogateescape"),
    )  # fmt: skip
    names = b"\n".join(line.split()[0] for line in told.splitlines() if line.endswith(b" blob"))
    if not names:
        return frozenset()
    earlier = replace(options, objects=names, confidence=Confidence.LOW, allow_shallow=True)
    stood = {finding.fingerprint for finding in scan(place, earlier)}
    return frozenset(finding.fingerprint for finding in report if finding.fingerprint in stood)


def _between(repository: Repository, new: Sequence[str], there: Sequence[str]) -> bytes:
    """Return the objects that `new` reaches and `there` does not, a line each."""
    if not new:
        return b""
    asked = "".join(f"{name}\n" for name in (*new, *(f"^{name}" for name in there)))
    return output(
        repository, "rev-list", "--objects", "--no-object-names", "--missing=allow-promisor",
        "--stdin", stdin=asked.encode(),
    )  # fmt: skip


def _held(repository: Repository, names: Sequence[str]) -> list[str]:
    """Return those of some objects that the repository has."""
    asked = ("\n".join(names) + "\n").encode()
    told = (
        output(repository, "cat-file", "--batch-check=%(objectname)", stdin=asked) if names else b""
    )
    return [line.decode() for line in told.splitlines() if b" " not in line]


def _absent(repository: Repository, names: bytes) -> bytes:
    """Return those of some objects that the repository lacks, a line each."""
    told = output(repository, "cat-file", "--batch-check=%(objectname)", stdin=names)
    missing = (line for line in told.splitlines() if line.endswith(b" missing"))
    return b"".join(line.split()[0] + b"\n" for line in missing)


def _everything(repository: Repository) -> bytes:
    return output(
        repository, "cat-file", "--batch-all-objects", "--unordered",
        "--batch-check=%(objectname)",
    )  # fmt: skip


_PLAIN = re.compile(r"[\w.@+/-]+")  # no pattern, so that it names one remote and not many


def _tracked(repository: Repository, remote: str) -> list[str]:
    """Return the commits that the remote had when it was last asked."""
    if not _PLAIN.fullmatch(remote) or ".." in remote:
        return []
    return _refs(repository, f"refs/remotes/{remote}/")


def _refs(repository: Repository, prefix: str) -> list[str]:
    told = output(repository, "for-each-ref", "--format=%(objectname)", prefix)
    return list(dict.fromkeys(told.decode().split()))


def _quarantine(repository: Repository, environ: Mapping[str, str], own: Path) -> list[Path]:
    """Return where the pushed objects lie, apart from the repository's own."""
    named = environ.get("GIT_QUARANTINE_PATH") or environ.get("GIT_OBJECT_DIRECTORY")
    if not named:
        return []
    folder = (_root(repository) / named).resolve()
    others = environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES", "").split(os.pathsep)
    beside = [(_root(repository) / one).resolve() for one in others if one and one[0] != '"']
    # GitLab keeps a quarantine of its own around git's, named among the alternates
    return [folder, *(one for one in beside if one != own)] if folder != own else []


def _alternates(objects: Path) -> list[Path]:
    """Return the folders from which a repository borrows objects."""
    try:
        listed = (objects / "info" / "alternates").read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    names = (line for line in listed.splitlines() if line and line[0] not in '#"')
    return [(objects / name).resolve() for name in names]
