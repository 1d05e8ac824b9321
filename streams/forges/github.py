"""Pushes and pull requests of GitHub, and pushes of Gitea and Forgejo, which follow it.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
https://docs.gitea.com/usage/webhooks
"""

from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec

from streams.forges.forge import Change, Forge, Headers, hub
from streams.signatures import check_hmac


class _Repository(msgspec.Struct):
    clone_url: str
    private: bool


class _Push(msgspec.Struct):
    ref: str
    before: str
    after: str
    repository: _Repository


_PUSH = msgspec.json.Decoder(_Push)


def _push(body: bytes) -> list[Change]:
    push = _PUSH.decode(_json(body))
    repository = push.repository
    return [Change(repository.clone_url, repository.private, push.ref, push.before, push.after)]


def _json(body: bytes) -> bytes:
    if body.startswith(b"payload="):  # content type application/x-www-form-urlencoded
        return parse_qs(body.decode("ascii"), max_num_fields=9)["payload"][0].encode()
    return body


class _Fork(msgspec.Struct):
    full_name: str = ""


class _End(msgspec.Struct):
    sha: str
    repo: _Fork | None = None


class _Pull(msgspec.Struct):
    head: _End
    base: _End


class _PullRequest(msgspec.Struct):
    action: str
    number: int
    pull_request: _Pull
    repository: _Repository


_PULL = msgspec.json.Decoder(_PullRequest)
_NEW_COMMITS = frozenset({"opened", "reopened", "synchronize"})


def _github(body: bytes) -> list[Change]:
    """Read a push, or a pull request out of a fork, to which nobody here pushes."""
    body = _json(body)
    try:
        asked = _PULL.decode(body)
    except msgspec.ValidationError:
        return _push(body)
    head, base = asked.pull_request.head, asked.pull_request.base
    from_here = head.repo is not None and base.repo == head.repo
    if asked.action not in _NEW_COMMITS or from_here:
        return []
    repository, ref = asked.repository, f"refs/pull/{asked.number}/head"
    return [Change(repository.clone_url, repository.private, ref, base.sha, head.sha)]


def _gitea(headers: Headers, body: bytes, secrets: Sequence[str]) -> None:
    check_hmac(headers.get("x-gitea-signature", ""), body, secrets, "gitea webhook")


GITHUB = Forge(
    "github",
    "x-hub-signature-256",
    "x-github-event",
    frozenset({"push", "pull_request"}),
    hub("x-hub-signature-256", "github webhook"),
    _github,
)
GITEA = Forge("gitea", "x-gitea-signature", "x-gitea-event", frozenset({"push"}), _gitea, _push)
