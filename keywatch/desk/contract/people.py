"""Who may look and act: accounts of people, and tokens of programs."""

from typing import Literal

import msgspec

from keywatch.desk.contract.shared import Shown


class Account(Shown, frozen=True, kw_only=True):
    """An account; `origin` is empty for one with a password here, else who vouches for it."""

    name: str
    role: str
    origin: str
    disabled: bool
    created_at: str
    last_login_at: str | None


class Token(Shown, frozen=True, kw_only=True):
    """A token of a program; what the program shows is known to it alone."""

    id: str
    name: str
    owner: str | None
    state: str
    scopes: tuple[str, ...]
    made_by: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class NewRole(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an account may do from now on."""

    role: Literal["viewer", "operator", "admin"]
