"""Pushes of GitLab.

https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events
"""

from collections.abc import Sequence

import msgspec

from streams.forges.forge import Change, Forge, Headers
from streams.signatures import check_token

_PUBLIC = 20
"""GitLab's visibility level of what the world can read."""


class _Project(msgspec.Struct):
    git_http_url: str
    visibility_level: int


class _GitlabPush(msgspec.Struct):
    ref: str
    before: str
    after: str
    project: _Project


_GITLAB = msgspec.json.Decoder(_GitlabPush)


def _gitlab_push(body: bytes) -> list[Change]:
    push = _GITLAB.decode(body)
    private = push.project.visibility_level != _PUBLIC
    return [Change(push.project.git_http_url, private, push.ref, push.before, push.after)]


def _gitlab(headers: Headers, body: bytes, secrets: Sequence[str]) -> None:
    del body  # GitLab signs nothing: it sends the secret itself
    check_token(headers.get("x-gitlab-token", ""), secrets, "gitlab webhook")


GITLAB = Forge(
    "gitlab",
    "x-gitlab-token",
    "x-gitlab-event",
    frozenset({"Push Hook", "Tag Push Hook"}),
    _gitlab,
    _gitlab_push,
)
