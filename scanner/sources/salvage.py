"""The objects of a repository that git refuses to list, because one of its packs is damaged.

Git ends its list at a pack that was cut short. Named one by one, it gives the objects that lie
elsewhere.
"""

from collections.abc import Iterator

from scanner.lazy import lazy
from scanner.sources.gitrun import Repository, output
from scanner.sources.packfile import ids_in
from scanner.sources.plan import Plan, plan_of

_FOLDER = lazy(r"[0-9a-f]{2}")
_REST = lazy(r"[0-9a-f]{38}|[0-9a-f]{62}")


def salvaged(repository: Repository) -> tuple[Plan, list[str]]:
    """Return what can be had of a repository, and what cannot, a sentence each.

    Raises:
        RepositoryError: git gives nothing of it at all.
    """
    problems: list[str] = []
    names = sorted({*_loose(repository), *_packed(repository, problems)})
    return plan_of(repository, b"".join(name + b"\n" for name in names)), problems


def _loose(repository: Repository) -> Iterator[bytes]:
    for folder in sorted(repository.packs.parent.iterdir()):
        if _FOLDER.fullmatch(folder.name) and folder.is_dir():
            for file in folder.iterdir():
                if _REST.fullmatch(file.name):
                    yield (folder.name + file.name).encode()


def _packed(repository: Repository, problems: list[str]) -> Iterator[bytes]:
    form = output(repository, "rev-parse", "--show-object-format").strip()
    width = 32 if form == b"sha256" else 20
    for index in sorted(repository.packs.glob("pack-*.idx")):
        try:
            names = ids_in(index, width)
        except (OSError, ValueError, IndexError) as error:
            problems.append(f"the index of a pack, {index.name}, cannot be read: {error}")
            continue
        yield from (bytes(name).hex().encode() for name in names)
