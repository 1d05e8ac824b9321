"""Keys that are used are read again ahead of their end: whether a row is still the same, cheaply.

The feed tells of every change that keywatch makes. What somebody changed by SQL it does not tell;
only reading again does. Nearly always nothing changed: so the row is compared as text with what
was read before, and what a key may do is worked out only for those that are others.

On SQLite many rows come as one value: the driver gives up the interpreter for each row, and to
have it back from a thread that answers requests costs more than the row.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from database.schema import keys
from gateway.standing import NOTICE_S
from keystore.usage import HOUR_S

if TYPE_CHECKING:
    from keystore.accounts import Account
    from keystore.plans import Plan

MARKS = {"sqlite": "?", "postgresql": "%s"}
"""How a parameter is written."""

_FIRST = ("hash", "account_id", "plan_id")
_REST = tuple(column.name for column in keys.columns if column.name not in _FIRST)
_JSON = f"json_array({','.join((*_FIRST, *_REST))})"
_HASH = slice(2, 66)
_NOBODYS = slice(66, 77)
_BITS = (1 << 60) - 1
"""Of a hash: so many bits are an object of 32 bytes, more one of 48."""

_Text = tuple[str, str | None, str | None, str]


class Renewal(NamedTuple):
    """A key that is held and used: its row is read again.

    Attributes:
        digest: the SHA-256 of the key.
        mark: of what is held, see `mark_of`.
        since: epoch seconds up to which what is held is true.
        until: epoch seconds up to which it would be held.
    """

    digest: bytes
    mark: int
    since: float
    until: float


def row_text(dialect: str) -> str:
    """Return the SQL of all that a key's row says, as one text."""
    return _JSON if dialect == "sqlite" else "keys::text"


def mark_of(text: str, account: "Account | None", plan: "Plan | None") -> int:
    """Return the number by which a key, its account and its plan are known to be as they were.

    Args:
        text: see `row_text`.
        account: the key's.
        plan: the key's, or its account's.
    """
    said = hash((text, account, plan)) if account or plan else hash(text)
    return said & _BITS or 1


def renewing(dialect: str, count: int, since: float, until: float) -> tuple[str, tuple[float, ...]]:
    """Return the statement that reads so many keys again, and its parameters after their hashes.

    It leaves out who must be worked out anew though the row is the same: whose time comes in
    between, and whose last use is to be written down.
    """
    return _statement(dialect, count), (until - HOUR_S, *(since, until) * len(_ENDS))


_ENDS = (
    *("expires_at", f"expires_at - {NOTICE_S}"),
    *("grace_until", "throttle_until", "suspended_until"),
)
"""What makes a key another without anybody's doing, as SQL."""


@lru_cache(maxsize=256)
def _statement(dialect: str, count: int) -> str:
    mark = MARKS[dialect]
    marks = ",".join([mark] * count)
    lasting = [f"({end} IS NULL OR {end} <= {mark} OR {end} > {mark})" for end in _ENDS]
    where = " AND ".join((f"hash IN ({marks})", f"last_used_at > {mark}", *lasting))
    if dialect == "sqlite":
        return f"SELECT group_concat({_JSON}, char(10)) FROM keys WHERE {where}"  # noqa: S608  (our own)
    return f"SELECT {','.join(_FIRST)}, {row_text(dialect)} FROM keys WHERE {where}"  # noqa: S608  (likewise)


def texts_in(dialect: str, rows: Sequence[Sequence[Any]]) -> Iterator[_Text]:
    """Return hash, account, plan and text of each key that `renewing` found."""
    if dialect != "sqlite":
        yield from ((row[0], row[1], row[2], row[3]) for row in rows)
        return
    ((told,),) = rows
    # JSON holds no line feed, whatever stands in the columns.
    for text in told.split("\n") if told else ():
        if text[_NOBODYS] == '",null,null':
            yield text[_HASH], None, None, text
        else:
            name, account_id, plan_id, *_ = msgspec.json.decode(text)
            yield name, account_id, plan_id, text


def ends_within(account: "Account | None", since: float, until: float) -> bool:
    """Whether what lies over an account's keys ends after `since`, and not after `until`."""
    if account is None:
        return False
    ends = (account.throttle_until, account.suspended_until)
    return any(end is not None and since < end <= until for end in ends)
