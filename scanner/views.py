"""Another look at a repository: with an index or with objects that are not its own.

Git hands its hooks an index of a commit in the making, or a quarantine with what is pushed, through
environment variables, and this scanner gives git no environment of others. A view is a bare
repository in a temporary folder that borrows objects from where they are: git reads there what
the hook should see, and meets no configuration but the view's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from scanner.sources.gitrun import Repository, output
from vocabulary.errors import RepositoryError

_SHA256 = 64  # characters of an object id


@contextmanager
def view(
    head: str, objects: Sequence[Path], index: Path | None = None, shared: Sequence[Path] = ()
) -> Iterator[Repository]:
    """Make a view, until the context is left.

    Args:
        head: the commit that HEAD names; empty where there is none yet.
        objects: absolute folders of objects.
        index: absolute; None for none.
        shared: parts of a split index.

    Raises:
        RepositoryError: a folder's name cannot be told to git.
    """
    if any("\n" in str(folder) for folder in objects):
        raise RepositoryError("a folder of objects has a line break in its name")
    with TemporaryDirectory(prefix="keywatch-") as made:
        folder = Path(made)
        (folder / "objects" / "info").mkdir(parents=True)
        (folder / "refs").mkdir()
        listed = "".join(f"{one}\n" for one in objects)
        (folder / "objects" / "info" / "alternates").write_text(listed, "utf-8", "surrogateescape")
        (folder / "HEAD").write_text(f"{head or 'ref: refs/heads/none'}\n")
        (folder / "config").write_text(_config(head))
        for target, name in ((index, "index"), *((part, part.name) for part in shared)):
            if target is not None:
                _borrow(target, folder / name)
        yield Repository(folder, None)


def _config(head: str) -> str:
    if len(head) != _SHA256:
        return "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
    return (
        "[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
        "[extensions]\n\tobjectformat = sha256\n"
    )


def _borrow(target: Path, link: Path) -> None:
    try:
        link.symlink_to(target)
    except OSError:  # Windows, without the right to make links
        link.write_bytes(target.read_bytes())


def objects_of(repository: Repository) -> Path:
    """Return where a repository keeps its objects."""
    said = output(repository, "rev-parse", "--git-path", "objects").decode(
        "utf-8", "surrogateescape"
    )
    base = repository.worktree or repository.git_dir
    return (base / said.removesuffix("\n")).resolve()


def head_of(repository: Repository) -> str:
    """Return the commit that HEAD names; empty where there is none yet."""
    try:
        found = output(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except RepositoryError:
        return ""
    return found.decode().strip()


def index_of_hook(repository: Repository, environ: Mapping[str, str]) -> Path | None:
    """Return the index that git gave a hook, where it is not the repository's own.

    Args:
        repository: whose hook it is.
        environ: in which GIT_INDEX_FILE is, relative to the worktree (githooks(5)).
    """
    named = environ.get("GIT_INDEX_FILE")
    if not named or repository.worktree is None:
        return None
    index = (repository.worktree / named).resolve()
    return index if index != (repository.git_dir / "index").resolve() else None


@contextmanager
def with_index(repository: Repository, index: Path) -> Iterator[Repository]:
    """Make a view with another index."""
    shared = sorted(repository.git_dir.glob("sharedindex.*"))
    with view(head_of(repository), [objects_of(repository)], index, shared) as seen:
        yield seen
