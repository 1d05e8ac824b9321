"""Pushes of Bitbucket Cloud, and of Bitbucket Data Center, which tells them in another way.

https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push
https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

import msgspec

from streams.forges.forge import Change, Forge, hub

_ZERO = "0" * 40


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


BITBUCKET = Forge(
    "bitbucket",
    "x-hub-signature",
    "x-event-key",
    frozenset({"repo:push", "repo:refs_changed"}),
    hub("x-hub-signature", "bitbucket webhook"),
    _bitbucket_push,
)
