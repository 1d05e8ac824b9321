"""Whether a CA took a certificate back: its lists and its responder, asked without holding up."""

import asyncio

from gateway.certificates import Certificate
from gateway.crl import RevocationLists
from gateway.ocsp import Responders


class Recall:
    """All that is asked of a certificate; lives on one event loop.

    Args:
        lists: None for none.
        responders: None for none.
    """

    def __init__(self, lists: RevocationLists | None, responders: Responders | None) -> None:
        self._lists, self._responders = lists, responders
        self._flights: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def check(self, certificate: Certificate, now: float) -> None:
        """Refuse what was taken back, and what cannot be checked.

        Args:
            certificate: what a trusted proxy told of.
            now: epoch seconds.

        Raises:
            CertificateError: with why.
        """
        loop = asyncio.get_running_loop()
        if self._lists is not None:
            if self._lists.is_due():
                await loop.run_in_executor(None, self._lists.look)
            self._lists.check(certificate, now)
        if self._responders is not None:
            if self._responders.needs_ask(certificate, now):
                await asyncio.shield(self._flight(self._responders, certificate))
            self._responders.check(certificate, now)

    def _flight(self, responders: Responders, certificate: Certificate) -> asyncio.Future[None]:
        """Return the question that is under way about it; all who wait share one."""
        name = certificate.issuer, certificate.serial
        flight = self._flights.get(name)
        if flight is None:
            loop = asyncio.get_running_loop()
            flight = self._flights[name] = loop.run_in_executor(None, responders.ask, certificate)
            flight.add_done_callback(lambda _: self._flights.pop(name, None))
        return flight
