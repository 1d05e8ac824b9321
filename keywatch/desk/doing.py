"""What can be done from the desk: the verbs of the command line, each audited with its actor.

Each takes a write transaction, what it is done to, what is wanted, and who does it when.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from actions import closing, judgement
from actions.undo import undo as take_back
from keystore import lifecycle, overlays
from keystore.keys import Key
from keywatch.desk import looking
from keywatch.desk.contract import Closing, Done, Force, Judgement, Note, Reason, Suspend, Throttle
from vocabulary.errors import KeyNotFoundError, KeywatchError


class ForbiddenError(KeywatchError):
    """Who asks may do such things, but not this one."""


class Act(NamedTuple):
    """Who does it, when (epoch seconds), the human behind it if that is another name.

    And whether they may do it against what speaks against it, and say whether alerts were right.
    """

    actor: str
    now: float
    human: str = ""
    may_force: bool = False
    may_judge: bool = False


Verb = Callable[[Connection, str, Any, Act], Done]


def revoke(connection: Connection, key_id: str, wanted: Reason, act: Act) -> Done:
    """End a key."""
    return _on_key(connection, key_id, lifecycle.revoke, wanted, act)


def restore(connection: Connection, key_id: str, wanted: Force, act: Act) -> Done:
    """Bring a revoked key back; lift throttle and suspension of any other."""
    _refuse_force(wanted, act)
    return _on_key(connection, key_id, lifecycle.restore, wanted, act, force=wanted.force)


def throttle(connection: Connection, key_id: str, wanted: Throttle, act: Act) -> Done:
    """Slow a key down."""
    until = act.now + wanted.for_s if wanted.for_s else None
    return _on_key(
        connection, key_id, overlays.throttle, wanted, act, per_min=wanted.per_min, until=until
    )


def unthrottle(connection: Connection, key_id: str, wanted: Reason, act: Act) -> Done:
    """Lift a throttle."""
    return _on_key(connection, key_id, overlays.unthrottle, wanted, act)


def suspend(connection: Connection, key_id: str, wanted: Suspend, act: Act) -> Done:
    """Let nothing through for a while."""
    until = act.now + wanted.for_s if wanted.for_s else None
    return _on_key(connection, key_id, overlays.suspend, wanted, act, until=until)


def resume(connection: Connection, key_id: str, wanted: Reason, act: Act) -> Done:
    """Lift a suspension."""
    return _on_key(connection, key_id, overlays.resume, wanted, act)


def approve(connection: Connection, action_id: str, wanted: None, act: Act) -> Done:
    """Let an action that a guard holds be carried out; some need a second person."""
    del wanted
    done = _on_action(connection, action_id, judgement.approve, act, human=act.human)
    still = looking.show_action(connection, int(done.id)).state == "held"
    return Done(id=done.id, changed=done.changed, waits_for="another person" if still else "")


def reject(connection: Connection, action_id: str, wanted: None, act: Act) -> Done:
    """Call off an action that a guard holds."""
    del wanted
    return _on_action(connection, action_id, judgement.reject, act)


def retry(connection: Connection, action_id: str, wanted: None, act: Act) -> Done:
    """Try an action again that was given up."""
    del wanted
    return _on_action(connection, action_id, judgement.retry, act)


def undo(connection: Connection, action_id: str, wanted: Force, act: Act) -> Done:
    """Put a key back to where it was before an action."""
    _refuse_force(wanted, act)
    number = _number(action_id)
    looking.show_action(connection, number)
    undone = take_back(connection, number, actor=act.actor, now=act.now, force=wanted.force)
    return Done(id=str(undone.id), changed=undone.changed)


def judge(connection: Connection, alert_id: str, wanted: Judgement, act: Act) -> Done:
    """Say what one thinks of an alert."""
    before = looking.show_alert(connection, alert_id)
    found = judgement.judge(connection, before.id, wanted.verdict, actor=act.actor, now=act.now)
    return Done(id=found, changed=before.feedback != wanted.verdict)


def close(connection: Connection, incident_id: str, wanted: Closing, act: Act) -> Done:
    """Take an incident on, or say what it was; see `Closing`."""
    judges = wanted.state in ("confirmed", "false")
    if judges and not act.may_judge:
        # It judges the alerts, which teaches what is usual: who may do one may not do the other.
        raise ForbiddenError("to say what it was needs the scope alerts:write, too")
    before = looking.show_incident(connection, incident_id)
    state = "resolved" if wanted.state == "confirmed" else wanted.state
    actor, now = act.actor, act.now
    closing.move(connection, before.id, state, note=wanted.note, actor=actor, now=now)
    if judges:
        judgement.judge_all(connection, before.id, wanted.state, actor=actor, now=now)
    return Done(id=before.id, changed=before.state != state)


def note(connection: Connection, incident_id: str, wanted: Note, act: Act) -> Done:
    """Write something down beside an incident."""
    found = looking.show_incident(connection, incident_id).id
    closing.write_note(connection, found, wanted.text, actor=act.actor, now=act.now)
    return Done(id=found, changed=True)


def _refuse_force(wanted: Force, act: Act) -> None:
    if wanted.force and not act.may_force:
        raise ForbiddenError("force needs the scope keys:force, which admins have")


def _on_key(
    connection: Connection,
    key_id: str,
    verb: Callable[..., Key],
    wanted: Reason,
    act: Act,
    **more: object,
) -> Done:
    before = _key(connection, key_id)
    after = verb(
        connection, key_id, actor=act.actor, reason=wanted.reason.strip(), now=act.now, **more
    )
    return Done(id=key_id, changed=after.change_seq != before.change_seq)


def _key(connection: Connection, key_id: str) -> Key:
    try:
        return lifecycle.locked(connection, key_id)
    except KeyNotFoundError as error:
        raise looking.MissingError(error.what) from None


def _on_action(
    connection: Connection, action_id: str, verb: Callable[..., list[int]], act: Act, **more: str
) -> Done:
    number = _number(action_id)
    looking.show_action(connection, number)
    moved = verb(connection, [number], actor=act.actor, now=act.now, **more)
    return Done(id=str(number), changed=bool(moved))


def _number(action_id: str) -> int:
    if not (action_id.isascii() and action_id.isdigit() and len(action_id) < 16):  # noqa: PLR2004
        raise looking.MissingError(f"there is no action {action_id!r}")
    return int(action_id)


def asked(kind: type[msgspec.Struct], fields: dict[str, str]) -> Any:  # noqa: ANN401
    """Return what a form asks for; empty fields are not said.

    Raises:
        msgspec.ValidationError: when it is not as `kind` says.
    """
    return msgspec.convert({k: v for k, v in fields.items() if v != ""}, kind, strict=False)
