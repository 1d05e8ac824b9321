"""Small documents from services that are configured by name."""

import urllib.error
import urllib.request
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from vocabulary.errors import ServiceError

TIMEOUT_S = 10.0
MAX_BYTES = 4 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  (the base class's)
        """Follow nowhere: who is asked is configured."""


def fetched(url: str, headers: dict[str, str] | None = None) -> bytes:
    """Return what a service answers to GET.

    Args:
        url: https, or http on this machine.
        headers: to send along.

    Raises:
        ServiceError: when it is away, says no, or says too much.
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
    except urllib.error.HTTPError as error:
        with error:
            raise ServiceError(f"answers {error.code}", where=url, remedy="try later") from error
    except (OSError, ValueError) as error:
        raise ServiceError("does not answer", where=url, remedy="check the address") from error
    if len(body) > MAX_BYTES:
        raise ServiceError("answers too much", where=url, remedy="check the address")
    return body


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False
