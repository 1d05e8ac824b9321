"""The push webhooks of forges: who sent it, and which refs moved where.

A forge is one entry of `FORGES`. What it sends is checked before any of it is used.
"""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from streams.forges.bitbucket import BITBUCKET
from streams.forges.forge import Forge, Headers
from streams.forges.github import GITEA, GITHUB
from streams.forges.gitlab import GITLAB
from streams.repository import checked
from vocabulary.errors import FormatError
from vocabulary.repository import RepoEvent

__all__ = ["FORGES", "MAX_BODY", "Forge", "repo_events"]

MAX_BODY = 25 * 1024 * 1024
"""Bytes; GitHub, and nobody of the others, sends no larger payload."""

MAX_CHANGES = 1000
FORGES = {forge.name: forge for forge in (GITHUB, GITLAB, GITEA, BITBUCKET)}


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
