"""What is told to a configured address: one request, and what its answer means for a message."""

import http.client
from collections.abc import Mapping
from typing import Any

import msgspec

from keystore import web
from keystore.web import Answer, is_here
from vocabulary.errors import ConfigError, ServiceError

__all__ = ["LIST_BYTES", "TIMEOUT_S", "Answer", "Site", "is_here", "object_of"]

LIST_BYTES = 4 << 20
"""Enough of an answer that lists what was posted before."""

TIMEOUT_S = 10.0
"""From connecting to the end of the answer, whatever the receiver does meanwhile."""

_MOST_BYTES = 65_536


def object_of(answer: Answer) -> dict[str, Any]:
    """Return an answer as the JSON object that it is; empty when it is none."""
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


class Site:
    """An address that is https, or http on this machine; see `keystore.web.Site`.

    Args:
        url: with or without a path.
        where: how the configuration calls it.
        timeout_s: for a whole attempt.
        most_bytes: of an answer; the rest is not read.

    Raises:
        ConfigError: for any other address.
    """

    def __init__(
        self, url: str, where: str, timeout_s: float = TIMEOUT_S, most_bytes: int = _MOST_BYTES
    ) -> None:
        self._site = web.Site(url, where, timeout_s=timeout_s, most_bytes=most_bytes, cut=True)

    def __repr__(self) -> str:
        """Return where it is, without what an address may carry beyond the host."""
        return self._site.place

    def send(
        self, body: bytes, headers: Mapping[str, str], method: str = "POST", path: str = ""
    ) -> Answer:
        """Send a request and return the answer, if it was friendly; of a long one the beginning.

        Args:
            body: as it is.
            headers: beside the ones that HTTP needs.
            method: of the request.
            path: put behind the path of the address.

        Raises:
            ServiceError: when it was not reached, or did not answer with 2xx.
            ConfigError: when it says that it is gone for good.
        """
        try:
            answer = self._site.ask(method, path, body, headers)
        except ServiceError as error:
            raise ServiceError(
                f"the receiver was not reached: {error.what}", where=repr(self)
            ) from None
        if answer.status == http.client.GONE:
            raise ConfigError("the receiver is gone for good (410)", where=repr(self))
        if not answer.is_ok:
            raise ServiceError(f"the receiver answered {answer.status}", where=repr(self))
        return answer
