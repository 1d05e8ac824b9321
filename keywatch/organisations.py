"""The repositories of organisations, as GitHub's and GitLab's APIs list them.

https://docs.github.com/en/rest/repos/repos#list-organization-repositories
https://docs.gitlab.com/api/groups/#list-projects
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from keywatch.config_streams import RepositorySettings
from vocabulary.errors import ConfigError, ServiceError

T = TypeVar("T")

PAGE = 100
MAX_PAGES = 200

Fetch = Callable[[str, dict[str, str]], bytes]
"""URL and headers → what is answered; raises ServiceError."""


class Listed(NamedTuple):
    """A repository to look at; `private` is False where the world may be able to read it."""

    address: str
    private: bool = False


class _Github(msgspec.Struct):
    clone_url: str
    private: bool = True


class _Gitlab(msgspec.Struct):
    http_url_to_repo: str
    visibility: str = "private"


_GITHUB = msgspec.json.Decoder(list[_Github])
_GITLAB = msgspec.json.Decoder(list[_Gitlab])


def listed(
    settings: RepositorySettings, fetch: Fetch, tell: Callable[[str], None]
) -> Iterator[Listed]:
    """Yield all repositories that are to be polled: named ones, and those of organisations.

    An organisation that cannot be listed, or not to its end, holds none of the others up.

    Args:
        settings: what is to be polled.
        fetch: asks an API.
        tell: is told which organisation cannot be listed, and why.

    Raises:
        ConfigError: when an organisation is not written like `github:acme`.
    """
    yield from map(Listed, settings.poll)
    for one in settings.organisations:
        forge, _, name = one.partition(":")
        if forge not in _LISTERS or not name:
            raise ConfigError(
                f"no organisation: {one[:64]!r}",
                where="repositories.organisations",
                remedy="write it like github:acme or gitlab:group/subgroup",
            )
        try:
            yield from _LISTERS[forge](settings, name, fetch)
        except ServiceError as error:
            tell(f"{one}: {error}")


def _github(settings: RepositorySettings, name: str, fetch: Fetch) -> Iterator[Listed]:
    url = f"{settings.github_api}/orgs/{quote(name, safe='')}/repos?type=all&per_page={PAGE}"
    token = settings.github_token
    headers = {"authorization": f"Bearer {token}"} if token else {}
    for body in _pages(url, headers, fetch):
        found = _decoded(_GITHUB, body, url)
        yield from (Listed(one.clone_url, one.private) for one in found)
        if len(found) < PAGE:
            return


def _gitlab(settings: RepositorySettings, name: str, fetch: Fetch) -> Iterator[Listed]:
    url = (
        f"{settings.gitlab_api}/groups/{quote(name, safe='')}/projects"
        f"?include_subgroups=true&per_page={PAGE}"
    )
    token = settings.gitlab_token
    headers = {"private-token": token} if token else {}
    for body in _pages(url, headers, fetch):
        found = _decoded(_GITLAB, body, url)
        yield from (Listed(one.http_url_to_repo, one.visibility != "public") for one in found)
        if len(found) < PAGE:
            return


def _pages(url: str, headers: dict[str, str], fetch: Fetch) -> Iterator[bytes]:
    for number in range(1, MAX_PAGES + 1):
        yield fetch(f"{url}&page={number}", headers)
    raise ServiceError(
        f"more than {PAGE * MAX_PAGES} repositories",
        where=url,
        remedy="the others are left out: name smaller groups, or set up webhooks",
    )


def _decoded(decoder: "msgspec.json.Decoder[list[T]]", body: bytes, url: str) -> list[T]:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        remedy = "check the address and the token"
        raise ServiceError("no list of repositories", where=url, remedy=remedy) from error


_LISTERS = {"github": _github, "gitlab": _gitlab}
