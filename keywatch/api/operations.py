"""Every operation of the API: those that read, and those that change something."""

from typing import Any

from keywatch.api.operation import Asked, Operation
from keywatch.api.reads import reads
from keywatch.desk import contract, doing

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
)
"""Verb, what it is done to, what it does, by what, and what must be said."""


def _write(name: str, thing: str, summary: str, verb: doing.Verb, body: Any) -> Operation:  # noqa: ANN401
    def call(asked: Asked) -> contract.Done:
        return asked.desk.act(asked.person, verb, asked.at, asked.body)

    return Operation(
        f"{name}_{thing[:-1]}",
        "POST",
        f"/{thing}/{{id}}/{name}",
        f"{thing}:write",
        summary,
        contract.Done,
        call,
        body=body,
    )


OPERATIONS: tuple[Operation, ...] = (*reads(), *(_write(*one) for one in _WRITES))
"""In the order in which the document tells them."""
