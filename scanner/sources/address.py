"""Addresses of remote repositories: which are spoken to, and what of them may be shown.

A name and password in an address never reach a command line, where every user of the machine
could read them, nor a file, nor a message.
"""

import re
from base64 import b64encode
from urllib.parse import unquote

import msgspec

from scanner.lazy import lazy
from vocabulary.errors import UsageError

_LOOKS_REMOTE = lazy(r"[A-Za-z][A-Za-z0-9+.-]*:(?://|:)|[\w.-]+@[\w.-]+:(?!//)")
_URL = lazy(r"(https|ssh|file)://(?:([^/@\s]*)@)?([^@\s\x00-\x1f]*)")
_SCP = lazy(r"[\w.-]+@(?!-)[\w.-]+:(?!-)[^\s:\x00-\x1f][^\s\x00-\x1f]*")


class Address(msgspec.Struct, frozen=True):
    """Where a repository is.

    Attributes:
        url: without a password; a path for `file`.
        protocol: https, ssh or file.
        authorization: what an HTTP server is told; empty where the address held no password.
    """

    url: str
    protocol: str
    authorization: str = ""

    def __repr__(self) -> str:
        """Say all but what authorizes."""
        return f"Address({self.url})"


def is_remote(target: str) -> bool:
    """Say whether a target is meant as an address, whether or not it may be spoken to."""
    return bool(_LOOKS_REMOTE.match(target))


def shown(target: str) -> str:
    """Return a target as it may be shown: an address without name and password."""
    return hidden(target) if is_remote(target) else target


def hidden(said: str) -> str:
    """Take names and passwords out of all addresses in a message."""
    return re.sub(r"([A-Za-z][\w+.-]*://)[^/@\s]*@", r"\1", said)


def parsed(target: str) -> Address:
    """Read an address.

    Raises:
        UsageError: it is none that is spoken to.
    """
    if found := _URL.fullmatch(target):
        scheme, user, rest = found.groups()
        if rest and not rest.startswith("-") and (scheme != "file" or rest.startswith("/")):
            return _address(scheme, user or "", rest)
    elif _SCP.fullmatch(target):
        return Address(target, "ssh")
    raise UsageError(
        "this address may not be read",
        where=shown(target)[:200],
        remedy="repositories are cloned by https://, ssh:// or file://",
    )


def _address(scheme: str, user: str, rest: str) -> Address:
    name, colon, _ = user.partition(":")
    if scheme == "file":
        return Address(unquote(rest), scheme)
    if scheme == "ssh":
        # a password in an ssh address is never used; a name is part of where it leads
        return Address(f"ssh://{name}@{rest}" if name else f"ssh://{rest}", scheme)
    if not user:
        return Address(f"https://{rest}", scheme)
    pair = unquote(user) if colon else f"{unquote(user)}:"
    basic = b64encode(pair.encode()).decode()
    return Address(f"https://{rest}", scheme, f"Authorization: Basic {basic}")
