"""Small documents from services that are configured by name."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from vocabulary.errors import ServiceError

TIMEOUT_S = 10.0
MAX_BYTES = 4 << 20
_REFUSED = 300


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  (the base class's)
        """Follow nowhere: who is asked is configured."""


class Answer(NamedTuple):
    """What a service answered: its status, its headers by lower-case names, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def fetched(url: str, headers: dict[str, str] | None = None) -> bytes:
    """Return what a service answers to GET.

    Args:
        url: https, or http on this machine.
        headers: to send along.

    Raises:
        ServiceError: when it is away, says no, or says too much.
    """
    answer = answered(url, headers)
    if answer.status >= _REFUSED:
        raise ServiceError(f"answers {answer.status}", where=url, remedy="try later")
    return answer.body


def answered(url: str, headers: dict[str, str] | None = None) -> Answer:
    """Return what a service answers to GET, a refusal included.

    Args:
        url: https, or http on this machine.
        headers: to send along.

    Raises:
        ServiceError: when it is away, or says too much.
    """
    if not _is_safe(url):
        raise ServiceError("only https is asked, or this machine", where=url, remedy="use https")
    request = urllib.request.Request(  # noqa: S310  (its scheme was checked)
        url, headers={"user-agent": "keywatch", "accept": "application/json", **(headers or {})}
    )
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            body: bytes = answer.read(MAX_BYTES + 1)
            found = Answer(answer.status, _lower(answer.headers), body)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _lower(error.headers), b"")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ServiceError("does not answer", where=url, remedy="check the address") from error
    if len(body) > MAX_BYTES:
        raise ServiceError("answers too much", where=url, remedy="check the address")
    return found


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False
