"""Addresses as they may be shown: without the passwords and tokens that they carry."""

import re

from vocabulary.secretnames import DOUBTFUL, IN_QUERIES

_PASSWORD = re.compile(r"(://[^/?#\s:@]*:)\S+@")
"""To the last `@`: a password that nobody encoded may hold anything."""

_LONE_TOKEN = re.compile(r"(https?://)[^/?#\s:@]+@", re.IGNORECASE)
_PARAMETER = re.compile(r"(?P<begin>[?&;](?P<name>[^=&;#\s]+)=)[^&;#\s]+")
_NAMES = frozenset(name.decode() for name in IN_QUERIES) | frozenset(DOUBTFUL)
_HIDDEN = "***"

_HOOK = re.compile(
    r"(https?://(?:hooks\.slack(?:-gov)?\.com|(?:[a-z]+\.)?discord(?:app)?\.com/api(?:/v\d+)?/webhooks"
    r"|[\w.-]+\.(?:webhook\.office|logic\.azure|powerplatform)\.com(?::\d+)?"
    r"|outlook\.office(?:365)?\.com/webhook|webexapis\.com/v1/webhooks/incoming"
    r"|api\.telegram\.org|events\.pagerduty\.com/integration|hooks\.zapier\.com"
    r"|maker\.ifttt\.com|hook\.[\w.-]*make\.com|webhook\.site|hc-ping\.com)/)[^\s?#]+",
    re.IGNORECASE,
)
"""Services at which whoever knows the path may post."""

_WEB_PATH = re.compile(r"(https?://[^/?#\s]+)(/[^?#\s]*)", re.IGNORECASE)
_PLAIN = re.compile(r"v?\d{0,3}|[a-z]{1,20}(?:[-_.][a-z]{1,20}){0,3}")


def without_secrets(address: str) -> str:
    """Return the address with `***` for its password and for parameters that are called secret.

    Args:
        address: a URL of any kind, or several; other text is left as it is.
    """
    shown = _PASSWORD.sub(rf"\1{_HIDDEN}@", address)
    shown = _LONE_TOKEN.sub(rf"\1{_HIDDEN}@", shown)
    shown = _HOOK.sub(rf"\1{_HIDDEN}", shown)
    return _PARAMETER.sub(_parameter, shown)


def of_hook(address: str) -> str:
    """Return an address to which messages are posted: its path may be the secret, whoever's it is.

    What is left of the path of a web address is plain words. The rest is as in `without_secrets`.
    """
    return _WEB_PATH.sub(_words, without_secrets(address))


def _words(found: re.Match[str]) -> str:
    parts = found[2].split("/")
    return found[1] + "/".join(part if _PLAIN.fullmatch(part) else _HIDDEN for part in parts)


def _parameter(found: re.Match[str]) -> str:
    name = found["name"].lower()
    telling = name in _NAMES or name.endswith(("password", "secret", "token"))
    return found["begin"] + _HIDDEN if telling else found[0]
