"""The push webhooks of forges: who sent it, and which refs moved where.

A forge is one entry of `FORGES`. What it sends is checked before any of it is used.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qs

import msgspec

from streams.repository import checked
from streams.signatures import check_hmac, check_token
from vocabulary.errors import FormatError
from vocabulary.repository import RepoEvent

MAX_BODY = 25 * 1024 * 1024
"""Bytes; GitHub, and nobody of the others, sends no larger payload."""

MAX_CHANGES = 1000
_ZERO = "0" * 40
_PUBLIC = 20
"""GitLab's visibility level of what the world can read."""

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A ref that moved."""

    repository: str
    private: bool
    ref: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Forge:
    """What is particular to a forge.

    Attributes:
        name: as the webhook's path has it.
        proof: header that shows who sent it.
        event: header that names the event.
        pushes: events that bring commits.
        verify: checks the proof; raises SignatureError.
        changes: the body of a push → the refs that moved; raises what msgspec raises.
    """

    name: str
    proof: str
    event: str
    pushes: frozenset[str]
    verify: Callable[[Headers, bytes, Sequence[str]], None]
    changes: Callable[[bytes], list[Change]]


def repo_events(
    forge: Forge, headers: Headers, body: bytes, secrets: Sequence[str], now: float
) -> list[RepoEvent]:
    """Return the moves that a delivery tells of; none for any other event, such as a ping.

    Args:
        forge: whose webhook it is.
        headers: with lower-case names.
        body: as it was received.
        secrets: the webhook's, and while it is being changed also the new one.
        now: epoch seconds.

    Raises:
        SignatureError: when it is not from the forge.
        FormatError: when it is, and not what the forge documents.
    """
    forge.verify(headers, body, secrets)
    if headers.get(forge.event) not in forge.pushes:
        return []
    where = f"{forge.name} webhook"
    try:
        changes = forge.changes(body)
    except msgspec.ValidationError as error:
        raise FormatError(str(error), where=where) from None
    except (msgspec.MsgspecError, ValueError, RecursionError, KeyError):
        raise FormatError("the payload is not JSON", where=where) from None
    if len(changes) > MAX_CHANGES:
        raise FormatError(f"more than {MAX_CHANGES} refs at once", where=where)
    # The delivery's own number is in no signature: with another one it could be replayed.
    name = sha256(body).hexdigest()
    events = []
    for number, change in enumerate(changes):
        event = checked(
            RepoEvent(
                delivery=name if not number else f"{name}-{number}",
                forge=forge.name,
                repository=change.repository,
                ref=change.ref,
                before=change.before,
                after=change.after,
                private=change.private,
                received_at=now,
            )
        )
        if isinstance(event, str):
            raise FormatError(event, where=where)
        events.append(event)
    return events


# --- GitHub and Gitea ------------------------------------------------------------------------
# https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
# https://docs.gitea.com/usage/webhooks (and Forgejo)


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


def _hub(header: str, where: str) -> Callable[[Headers, bytes, Sequence[str]], None]:
    """Return what checks `sha256=HEX` of a header."""

    def verify(headers: Headers, body: bytes, secrets: Sequence[str]) -> None:
        kind, _, given = headers.get(header, "").partition("=")
        check_hmac(given if kind == "sha256" else "", body, secrets, where)

    return verify


def _gitea(headers: Headers, body: bytes, secrets: Sequence[str]) -> None:
    check_hmac(headers.get("x-gitea-signature", ""), body, secrets, "gitea webhook")


# --- GitLab ----------------------------------------------------------------------------------
# https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events


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


# --- Bitbucket -------------------------------------------------------------------------------
# https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push
# https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html


class _Target(msgspec.Struct):
    hash: str


class _State(msgspec.Struct):
    type: str
    name: str
    target: _Target


class _Moved(msgspec.Struct):
    new: _State | None = None
    old: _State | None = None


class _CloudPush(msgspec.Struct):
    changes: list[_Moved]


class _CloudRepository(msgspec.Struct):
    full_name: str
    is_private: bool


class _Cloud(msgspec.Struct):
    push: _CloudPush
    repository: _CloudRepository


class _Link(msgspec.Struct):
    href: str
    name: str


class _Links(msgspec.Struct):
    clone: list[_Link]


class _ServerRepository(msgspec.Struct):
    links: _Links
    public: bool = False


class _Ref(msgspec.Struct):
    id: str


class _ServerChange(msgspec.Struct, rename="camel"):
    ref: _Ref
    from_hash: str
    to_hash: str


class _Server(msgspec.Struct):
    changes: list[_ServerChange]
    repository: _ServerRepository


_CLOUD, _SERVER = msgspec.json.Decoder(_Cloud), msgspec.json.Decoder(_Server)


def _bitbucket_push(body: bytes) -> list[Change]:
    """Read a push of Bitbucket Cloud or, where it is none, of Bitbucket Data Center."""
    try:
        cloud = _CLOUD.decode(body)
    except msgspec.ValidationError:
        return _server_push(body)
    clone = f"https://bitbucket.org/{cloud.repository.full_name}.git"
    moved = [(one.old, one.new) for one in cloud.push.changes]
    return [
        Change(
            clone,
            cloud.repository.is_private,
            _ref(new or old),
            old.target.hash if old else _ZERO,
            new.target.hash if new else _ZERO,
        )
        for old, new in moved
    ]


def _server_push(body: bytes) -> list[Change]:
    push = _SERVER.decode(body)
    links = {link.name: link.href for link in push.repository.links.clone}
    clone = links.get("http") or links.get("https") or links.get("ssh") or ""
    private = not push.repository.public
    return [Change(clone, private, one.ref.id, one.from_hash, one.to_hash) for one in push.changes]


def _ref(state: _State | None) -> str:
    if state is None:
        raise ValueError
    return f"refs/{'tags' if state.type == 'tag' else 'heads'}/{state.name}"


FORGES = {
    forge.name: forge
    for forge in (
        Forge(
            "github",
            "x-hub-signature-256",
            "x-github-event",
            frozenset({"push", "pull_request"}),
            _hub("x-hub-signature-256", "github webhook"),
            _github,
        ),
        Forge(
            "gitlab",
            "x-gitlab-token",
            "x-gitlab-event",
            frozenset({"Push Hook", "Tag Push Hook"}),
            _gitlab,
            _gitlab_push,
        ),
        Forge(
            "gitea",
            "x-gitea-signature",
            "x-gitea-event",
            frozenset({"push"}),
            _gitea,
            _push,
        ),
        Forge(
            "bitbucket",
            "x-hub-signature",
            "x-event-key",
            frozenset({"repo:push", "repo:refs_changed"}),
            _hub("x-hub-signature", "bitbucket webhook"),
            _bitbucket_push,
        ),
    )
}
