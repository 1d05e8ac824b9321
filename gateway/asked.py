"""One request as every face of the gateway hands it to the judge, and what the judge says."""

from collections.abc import Sequence

import msgspec

from gateway.answers import Refusal
from gateway.extract import Extracted, Header
from gateway.standing import Standing


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request as it arrived.

    Attributes:
        path: as it was sent, percent-encoded.
        query: without `?`.
        peer: address of who opened the connection, empty when unknown.
        version: HTTP version such as 1.1.
    """

    method: str
    path: bytes
    query: bytes
    headers: Sequence[Header]
    peer: str
    version: str = "1.1"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What is done with a request.

    Attributes:
        at: epoch seconds at which it came.
        client: address of the client, behind trusted proxies.
        extracted: what the request says of its sender.
        standing: of the key; nobody's where none is known.
        refusal: None when the request may pass.
        headers: what the answer carries, whoever gives it.
    """

    at: float
    client: str
    extracted: Extracted
    standing: Standing
    refusal: Refusal | None
    headers: tuple[Header, ...]
