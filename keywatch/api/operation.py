"""What an operation of the API is, and what it is handed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from keywatch.desk.desk import Desk
from keywatch.people.roles import Person


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read and allowed.

    Attributes:
        desk: what answers it.
        person: who asks.
        at: the id in the path; empty where there is none.
        query: of the operation's `query` struct.
        body: of the operation's `body` struct, or None.
    """

    desk: Desk
    person: Person
    at: str
    query: Any
    body: Any


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operation that takes no parameters."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API does.

    Attributes:
        name: its `operationId`.
        method: GET or POST.
        path: below /api/v1; `{id}` for what it is about.
        scope: what a token must have; empty for any token.
        summary: one line.
        answer: type of what `call` returns.
        call: does it; the frame asks for `answered`, which also writes down who looked.
        query: struct of its parameters.
        body: type of its body; None for none.
        views: what sensitive matter it shows, as the audit log calls it (`{id}` stands for what it
            is about); empty for none.
    """

    name: str
    method: str
    path: str
    scope: str
    summary: str
    answer: Any
    call: Callable[[Asked], object]
    query: type[msgspec.Struct] = NoQuery
    body: Any = None
    views: str = ""

    def answered(self, asked: Asked) -> object:
        """Do it, and write down who looked; what cannot be written down is not shown."""
        answer = self.call(asked)
        if self.views:
            asked.desk.viewed(asked.person, self.views.replace("{id}", asked.at))
        return answer
