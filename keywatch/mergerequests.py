"""Pull and merge requests, as forges keep them among a repository's refs.

https://docs.github.com/en/pull-requests (refs/pull/N/head), https://docs.gitlab.com/topics/git/
(refs/merge-requests/N/head), Bitbucket Data Center (refs/pull-requests/N/from). What stands there
may come out of a fork, and whoever can read the repository can read it.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from scanner.sources.gitrun import Repository, output

_HEAD = re.compile(
    r"refs/(?:(?:pull|merge-requests)/(\d{1,18})/head|pull-requests/(\d{1,18})/from)"
)
_OURS = ("refs/heads", "refs/tags")
_THEIRS = ("refs/pull", "refs/merge-requests", "refs/pull-requests")
_MOST = 50
"""Commits of which it is looked up where they are."""


def newest(refs: Mapping[str, str], most: int) -> dict[str, str]:
    """Return the heads of requests with the highest numbers: ref → commit.

    Args:
        refs: all refs of a repository.
        most: so many.
    """
    found = [(int(head[1] or head[2]), ref) for ref in refs if (head := _HEAD.fullmatch(ref))]
    return {ref: refs[ref] for _, ref in sorted(found, reverse=True)[:most]}


def of_commits(copy: Path, commits: Iterable[str]) -> dict[str, str]:
    """Return commits that stand in a request and in no branch or tag, each with the request's ref.

    Args:
        copy: of the repository, bare.
        commits: object ids; of the first 50 it is looked up.
    """
    repository = Repository(copy, None)
    found = {}
    for commit in list(dict.fromkeys(one for one in commits if one))[:_MOST]:
        if not _holding(repository, commit, _OURS) and (
            ref := _holding(repository, commit, _THEIRS)
        ):
            found[commit] = ref
    return found


def _holding(repository: Repository, commit: str, where: tuple[str, ...]) -> str:
    asked = ("for-each-ref", "--count=1", "--format=%(refname)", f"--contains={commit}", *where)
    return output(repository, *asked).decode("utf-8", "replace").strip()
