"""A repository scanned with its submodules, each by its own git directory."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from scanner.options import Progress
from scanner.receipt import Receipt
from scanner.sources import submodules
from scanner.sources.gitrun import Repository
from scanner.texts import Texts
from vocabulary.errors import RepositoryError
from vocabulary.finding import Place

MAX_DEPTH = 5
Reader = Callable[[Repository, Receipt, Progress], Texts]


def with_submodules(
    repository: Repository, read: Reader, receipt: Receipt, progress: Progress, depth: int = 0
) -> Texts:
    """Read a repository, then each submodule, whose paths begin with where it belongs.

    Args:
        repository: the superproject.
        read: reads one repository.
        receipt: is filled in.
        progress: told of each repository anew.
        depth: of the superproject itself.
    """
    texts = read(repository, receipt, progress)
    try:
        listed = list(submodules.inside(repository))
    except RepositoryError as error:  # git cannot read the index
        receipt.incomplete.append(f"submodules: {error}")
        return texts
    for found in listed:
        if found.repository is None:
            _absent(found, receipt)
        elif depth >= MAX_DEPTH:
            receipt.incomplete.append(f"submodule {found.path} is nested too deep")
        else:
            aside = Receipt()
            inner = with_submodules(found.repository, read, aside, progress, depth + 1)
            _add(texts, inner, found.path)
            receipt.add(aside, found.path)
    return texts


def _absent(found: submodules.Submodule, receipt: Receipt) -> None:
    if found.problem:
        receipt.incomplete.append(f"submodule {found.path}: {found.problem}")
    else:
        reason = "submodules that are not checked out"
        receipt.left_out[reason] = receipt.left_out.get(reason, 0) + 1


def _add(texts: Texts, inner: Texts, path: str) -> None:
    """Take over what was found below a path; the same blob may lie in several repositories."""
    for name in {match.item for match in inner.matches}:
        places: Sequence[Place] = inner.located.get(name) or (Place(path=name),)
        texts.located[f"{path}/{name}"] = tuple(
            replace(place, path=f"{path}/{place.path}") for place in places
        )
    texts.matches += [replace(match, item=f"{path}/{match.item}") for match in inner.matches]
