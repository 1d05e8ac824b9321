"""What others say of repositories, checked before anything is done with it."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from streams.parsed import MAX_LINE, Rejection
from vocabulary.repository import RepoEvent

_MAX_ADDRESS = 2048
_MAX_REF = 1024
_MAX_DELIVERY = 200

# Of git's transports only those that reach a server, or a folder: `ext::` runs a program.
_URL = re.compile(r"(https?|ssh|git|file)://(?:[^/@\s]*@)?([^@\s]+)")
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9._-]+:(?!:)[^\s:][^\s]*")
_LOCAL = re.compile(r"/[^\s].*")
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/[^\s~^:?*\[\\]+")


class _Told(msgspec.Struct, gc=False):
    delivery: str
    repository: str
    ref: str
    after: str
    before: str = "0" * 40
    private: bool = False
    forge: str = "kafka"
    received_at: float | None = None


_DECODER = msgspec.json.Decoder(_Told)


def address(text: str) -> str | None:
    """Return a clone address without credentials, or None when it is not safe to hand to git.

    Args:
        text: a URL (https, http, ssh, git, file), `user@host:path`, or an absolute path.
    """
    if len(text) > _MAX_ADDRESS or not text.isprintable():
        return None
    url = _URL.fullmatch(text)
    if url is not None:
        return _without_user(text, url)
    return text if _SCP.fullmatch(text) or _LOCAL.fullmatch(text) else None


def _without_user(text: str, url: re.Match[str]) -> str | None:
    scheme, rest = url.groups()
    if rest.startswith("-"):
        return None
    # The user of ssh is an account's name, not a secret; a password beside it is.
    user = text.removeprefix(f"{scheme}://").removesuffix(rest).rstrip("@").partition(":")[0]
    keep = scheme == "ssh" and re.fullmatch(r"[A-Za-z0-9._]+", user)
    return f"{scheme}://{user}@{rest}" if keep else f"{scheme}://{rest}"


def checked(event: RepoEvent) -> RepoEvent | str:
    """Return the event, its address without credentials; or which field is wrong, and why."""
    clone = address(event.repository)
    if clone is None:
        return "repository: no address that git may be given"
    if not (0 < len(event.delivery) <= _MAX_DELIVERY and event.delivery.isprintable()):
        return f"delivery: not 1 to {_MAX_DELIVERY} printable characters"
    if len(event.ref) > _MAX_REF or not _REF.fullmatch(event.ref) or not event.ref.isprintable():
        return "ref: no full name of a branch or tag"
    for name in ("before", "after"):
        if not _OBJECT.fullmatch(getattr(event, name)):
            return f"{name}: no object id"
    return msgspec.structs.replace(event, repository=clone)


def repo_events(lines: Sequence[bytes], now: float) -> tuple[list[RepoEvent], list[Rejection]]:
    """Read the records of a topic of repository events, one JSON object each.

    Args:
        lines: with the fields of `RepoEvent`; `delivery`, `repository`, `ref` and `after` at
            least. Without `private` the world is taken to be able to read the repository.
        now: epoch seconds, for those that do not say when they were received.

    Returns:
        The events, and the records that are none.
    """
    events: list[RepoEvent] = []
    rejected: list[Rejection] = []
    for number, line in enumerate(lines):
        if line.strip():
            event = _event(line, now)
            if isinstance(event, str):
                rejected.append((number, event))
            else:
                events.append(event)
    return events, rejected


def _event(line: bytes, now: float) -> RepoEvent | str:
    if len(line) > MAX_LINE:
        return f"line: longer than {MAX_LINE} bytes"
    try:
        told = _DECODER.decode(line)
    except msgspec.ValidationError as error:
        what, _, field = str(error).partition(" - at `$")
        return f"{field.strip('.`') or 'line'}: {what[:1].lower()}{what[1:]}"
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return "line: not JSON"
    fields: dict[str, Any] = msgspec.structs.asdict(told)
    fields["received_at"] = now if told.received_at is None else told.received_at
    return checked(RepoEvent(**fields))
