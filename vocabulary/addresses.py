"""Addresses as they may be shown: without the passwords and tokens that they carry."""

import re

from vocabulary.secretnames import DOUBTFUL, IN_QUERIES

_PASSWORD = re.compile(r"(://[^/?#\s:@]*:)\S+@")
"""To the last `@`: a password that nobody encoded may hold anything."""

_LONE_TOKEN = re.compile(r"(https?://)[^/?#\s:@]+@", re.IGNORECASE)
_PARAMETER = re.compile(r"(?P<begin>[?&;](?P<name>[^=&;#\s]+)=)[^&;#\s]+")
_NAMES = frozenset(name.decode() for name in IN_QUERIES) | frozenset(DOUBTFUL)
_HIDDEN = "***"


def without_secrets(address: str) -> str:
    """Return the address with `***` for its password and for parameters that are called secret.

    Args:
        address: a URL of any kind, or several; other text is left as it is.
    """
    shown = _PASSWORD.sub(rf"\1{_HIDDEN}@", address)
    shown = _LONE_TOKEN.sub(rf"\1{_HIDDEN}@", shown)
    return _PARAMETER.sub(_parameter, shown)


def _parameter(found: re.Match[str]) -> str:
    name = found["name"].lower()
    telling = name in _NAMES or name.endswith(("password", "secret", "token"))
    return found["begin"] + _HIDDEN if telling else found[0]
