"""One request as every face of the gateway hands it to the judge, and what the judge says."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.answers import Refusal
from gateway.extract import Extracted, Header
from gateway.limits import Allowance
from gateway.quota import headers_of
from gateway.standing import NOBODY, Standing


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request as it arrived.

    Attributes:
        path: as it was sent, percent-encoded.
        query: without `?`.
        peer: address of who opened the connection, empty when unknown.
        version: HTTP version such as 1.1.
        has_body: whether the body can be seen, if there is one: a proxy that asks sends none.
    """

    method: str
    path: bytes
    query: bytes
    headers: Sequence[Header]
    peer: str
    version: str = "1.1"
    has_body: bool = True


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What is done with a request.

    Attributes:
        at: epoch seconds at which it came.
        client: address of the client, behind trusted proxies.
        extracted: what the request says of its sender.
        standing: of the key; nobody's where none is known.
        refusal: None when the request may pass.
        plain: what the answer carries, whoever gives it, but for `left`.
        beside: the other identities that the request showed: what holds them back held, too.
        left: what is left of the limit, where `plain` does not say so yet.
    """

    at: float
    client: str
    extracted: Extracted
    standing: Standing
    refusal: Refusal | None
    plain: tuple[Header, ...]
    beside: tuple[Standing, ...] = ()
    left: Allowance | None = None

    @property
    def headers(self) -> tuple[Header, ...]:
        """Return what the answer carries, whoever gives it."""
        left = self.left
        return self.plain if left is None else self.plain + headers_of(left, self.at)


class Papers(NamedTuple):
    """What came beside a key, or instead of one.

    Attributes:
        fault: empty, or the code of the refusal.
        standings: of all identities that are named; the first speaks for the request where there
            is no key.
        carried: "token", "certificate": what is there and good.
        warnings: what the owner of a certificate should see to.
    """

    fault: str = ""
    standings: tuple[Standing, ...] = ()
    carried: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def standing(self) -> Standing:
        """Return how the first identity stands, nobody where none is named."""
        return self.standings[0] if self.standings else NOBODY


NO_PAPERS = Papers()
