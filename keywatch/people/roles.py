"""What a person or a program may do: scopes, and the roles that bundle them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from vocabulary.errors import UsageError

THINGS = ("status", "incidents", "alerts", "keys", "findings", "actions", "sources", "policy")
READ = frozenset(f"{thing}:read" for thing in (*THINGS, "audit"))
WRITE = frozenset({"incidents:write", "alerts:write", "keys:write", "actions:write"})
ISSUE = frozenset({"keys:rotate"})
"""What hands out a secret that works."""
GUARDED = frozenset({"people:read", "people:write", "keys:force"})
"""What admins alone may do: look after accounts and tokens, and bring a key back against what
speaks against it, such as a proven leak."""
SCOPES = READ | WRITE | ISSUE | GUARDED
"""Every scope: what it is of, and whether it reads or writes."""
_PEOPLE = ("users", "tokens")


class Role(StrEnum):
    """What people may do, each more than the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[str]:
        """Return what the role may do; who acts has an eye on the audit log too."""
        if self is Role.VIEWER:
            return READ - {"audit:read"}
        return SCOPES if self is Role.ADMIN else SCOPES - GUARDED


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, as it stands in the audit log.

    Attributes:
        actor: such as `ada` or `token:deploy`.
        scopes: what they may do.
        role: empty for programs.
        human: whose approval theirs is, where that is another name than the actor's.
    """

    actor: str
    scopes: frozenset[str]
    role: str = ""
    human: str = ""

    def may(self, scope: str) -> bool:
        """Whether the scope is among theirs; the empty one is everybody's."""
        return not scope or scope in self.scopes

    @property
    def is_admin(self) -> bool:
        """Whether they look after people."""
        return self.role == Role.ADMIN


def scope_of(thing: str, kind: str) -> str:
    """Return the scope that reads or writes things of a kind, such as `keys`; `kind` says which."""
    return f"{'people' if thing in _PEOPLE else thing}:{kind}"


def scopes_of(words: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes that words name: themselves, or `read` and `write` for all of a kind.

    What is in neither, because it hands out secrets or is for admins, must be named.

    Raises:
        UsageError: for a word that is no scope, and for none at all.
    """
    found: set[str] = set()
    for word in words:
        if word not in {"read", "write", *SCOPES}:
            raise UsageError(
                f"{word!r} is no scope",
                remedy=f"there are read, write and {', '.join(sorted(SCOPES))}",
            )
        found |= {"read": READ, "write": WRITE}.get(word, frozenset({word}))
    if not found:
        raise UsageError("a token needs a scope", remedy="such as --scope read")
    return tuple(sorted(found))


def role_of(word: str) -> Role:
    """Return the role that `word` names.

    Raises:
        UsageError: when it names none.
    """
    try:
        return Role(word)
    except ValueError:
        raise UsageError(f"{word!r} is no role", remedy=f"there are {', '.join(Role)}") from None
