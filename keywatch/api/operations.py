"""Every operation of the API: those that read, and those that change something."""

from typing import Any

from keywatch.api.operation import Asked, Operation
from keywatch.api.reads import reads
from keywatch.desk import contract, doing, people
from keywatch.people.roles import scope_of

_WRITES: tuple[tuple[str, str, str, doing.Verb, Any], ...] = (
    ("revoke", "keys", "End a key.", doing.revoke, contract.Reason),
    ("restore", "keys", "Bring a key back as it was.", doing.restore, contract.Force),
    ("throttle", "keys", "Slow a key down.", doing.throttle, contract.Throttle),
    ("unthrottle", "keys", "Lift a throttle.", doing.unthrottle, contract.Reason),
    ("suspend", "keys", "Let nothing through for a while.", doing.suspend, contract.Suspend),
    ("resume", "keys", "Lift a suspension.", doing.resume, contract.Reason),
    ("approve", "actions", "Let a held action be carried out.", doing.approve, None),
    ("reject", "actions", "Call a held action off.", doing.reject, None),
    ("retry", "actions", "Try an action again that was given up.", doing.retry, None),
    ("undo", "actions", "Put a key back to before an action.", doing.undo, contract.Force),
    ("judge", "alerts", "Say whether an alert was right.", doing.judge, contract.Judgement),
    (
        "close",
        "incidents",
        "Take an incident on, or close it.",
        doing.close,
        contract.Closing,
    ),
    ("note", "incidents", "Write something down beside an incident.", doing.note, contract.Note),
    ("role", "users", "Give an account another role.", people.set_role, contract.NewRole),
    ("disable", "users", "Let nobody in under a name any more.", people.disable, None),
    ("enable", "users", "Let somebody in again.", people.enable, None),
    ("revoke", "tokens", "End a token.", people.end_token, None),
)
"""Verb, what it is done to, what it does, by what, and what must be said."""


def _write(name: str, thing: str, summary: str, verb: doing.Verb, body: Any) -> Operation:  # noqa: ANN401
    def call(asked: Asked) -> contract.Done:
        return asked.desk.act(asked.person, verb, asked.at, asked.body)

    return Operation(
        f"{name}_{thing[:-1]}",
        "POST",
        f"/{thing}/{{id}}/{name}",
        scope_of(thing, "write"),
        summary,
        contract.Done,
        call,
        body=body,
    )


def _rotate(asked: Asked) -> contract.Rotated:
    return asked.desk.rotate(asked.person, asked.at, asked.body)


_ROTATE = Operation(
    "rotate_key",
    "POST",
    "/keys/{id}/rotate",
    "keys:rotate",
    "Replace a key; the new secret is in this answer and nowhere else.",
    contract.Rotated,
    _rotate,
    body=contract.Rotation,
)
OPERATIONS: tuple[Operation, ...] = (
    *reads(),
    *(_write(*one) for one in _WRITES),
    _ROTATE,
)
"""In the order in which the document tells them."""
