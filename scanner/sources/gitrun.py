"""Running git on a repository that may be hostile.

A repository's own configuration can name programs (`core.fsmonitor`, hooks, textconv, filters,
pagers, credential helpers); none of them must run. Only commands that read objects are used, with
what they could start turned off.
"""

import os
import subprocess
from pathlib import Path
from typing import IO

import msgspec
from msgspec.structs import replace

from vocabulary.errors import RepositoryError, TargetError

_OFF = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.untrackedCache=false",
    "log.showSignature=false",
    "diff.external=",
    "submodule.recurse=false",
    "safe.directory=*",
)
_KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH")
ALLOWED = ("rev-parse", "rev-list", "cat-file", "for-each-ref", "ls-files", "diff-index", "log")


class Repository(msgspec.Struct, frozen=True):
    """A repository on disk.

    Attributes:
        git_dir: absolute; where objects and refs of this worktree are.
        worktree: absolute; None for a bare one.
        shallow: its history was cut off when it was cloned.
        common: absolute; the directory that linked worktrees share, None where it is `git_dir`.
    """

    git_dir: Path
    worktree: Path | None
    shallow: bool = False
    common: Path | None = None

    @property
    def packs(self) -> Path:
        """Where its packs lie: those of all worktrees lie together."""
        return (self.common or self.git_dir) / "objects" / "pack"


def command(repository: Repository, *arguments: str) -> list[str]:
    """Return the command line of a git command that only reads."""
    assert arguments[0] in ALLOWED
    start = ["git", "--no-replace-objects", "--no-optional-locks"]
    for setting in _OFF:
        start += ["-c", setting]
    start.append(f"--git-dir={repository.git_dir}")
    # always stated: `core.worktree` of the repository may name any folder, or one that is gone
    start.append(f"--work-tree={repository.worktree or repository.git_dir}")
    return [*start, *arguments]


def environment() -> dict[str, str]:
    """Return the environment git runs in: none of GIT_*, no system or user configuration."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",  # a partial clone fetches nothing
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "LC_ALL": "C",
    }


def start(
    repository: Repository,
    *arguments: str,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
    stderr: IO[bytes] | int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start git.

    Raises:
        TargetError: there is no git to start.
    """
    try:
        return subprocess.Popen(
            command(repository, *arguments),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment(),
            cwd=repository.worktree or repository.git_dir,
            bufsize=0,
        )
    except FileNotFoundError:
        raise TargetError("git is not installed", remedy="install git 2.30 or newer") from None


def output(repository: Repository, *arguments: str, stdin: bytes | None = None) -> bytes:
    """Run git and return what it prints.

    Raises:
        RepositoryError: it failed; says what git said.
    """
    try:
        done = subprocess.run(
            command(repository, *arguments),
            input=b"" if stdin is None else stdin,
            capture_output=True,
            env=environment(),
            cwd=repository.worktree or repository.git_dir,
            check=False,
        )
    except FileNotFoundError:
        raise TargetError("git is not installed", remedy="install git 2.30 or newer") from None
    if done.returncode != 0:
        raise failed(repository, arguments[0], done.stderr)
    return done.stdout


def failed(repository: Repository, name: str, stderr: bytes) -> RepositoryError:
    """Say that a command of git failed, and what it said."""
    return RepositoryError(f"git {name} failed: {said(stderr)}", where=str(repository.git_dir))


def said(stderr: bytes) -> str:
    """Return the last line of what git complained, without control characters or remedies."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    lines = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
    return "".join(c if c.isprintable() else "?" for c in lines[-1])[:300] if lines else "no reason"


def find(target: Path) -> Repository | None:
    """Return the repository whose worktree, or whose bare directory, `target` is.

    A directory within a worktree is no repository: it is scanned as a directory.

    Raises:
        RepositoryError: `.git` is there but git cannot use it.
    """
    found = located(target)
    return checked(found) if found else None


def located(target: Path) -> Repository | None:
    """Return what `find` returns, without asking git whether it can use it, or how deep it is.

    Raises:
        RepositoryError: `.git` is a file that names no repository.
    """
    dot = target / ".git"
    if dot.is_dir():
        return _lying(dot.resolve(), target.resolve())
    if dot.is_file():
        return _lying(_pointed(dot), target.resolve())
    if (target / "HEAD").is_file() and (target / "objects").is_dir() and (target / "refs").is_dir():
        return _lying(target.resolve(), None)
    return None


def enclosing(path: Path) -> Path | None:
    """Return the root of the worktree within which a path lies, if it lies in one.

    Only looked for, never read: whoever owns a folder above may have put a repository there.
    """
    return next((one for one in path.resolve().parents if (one / ".git").exists()), None)


def _lying(git_dir: Path, worktree: Path | None) -> Repository:
    return Repository(git_dir, worktree, common=_common(git_dir))


def _pointed(dot: Path) -> Path:
    """Follow the `.git` file of a worktree or a submodule."""
    first = dot.read_text(errors="replace").partition("\n")[0]
    if not first.startswith("gitdir: "):
        raise RepositoryError("`.git` names no repository", where=str(dot))
    return (dot.parent / first.removeprefix("gitdir: ")).resolve()


def checked(repository: Repository) -> Repository:
    """Return a repository with what git says of its depth.

    Raises:
        RepositoryError: git cannot use it.
    """
    said_of = output(repository, "rev-parse", "--is-shallow-repository").strip()
    return replace(repository, shallow=said_of == b"true")


def _common(git_dir: Path) -> Path | None:
    """Return where a linked worktree finds objects and refs (gitrepository-layout(5))."""
    try:
        named = (git_dir / "commondir").read_text(errors="replace").removesuffix("\n")
    except OSError:
        return None
    return (git_dir / named).resolve() if named else None
