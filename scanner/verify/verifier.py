"""From findings to findings of which their providers were asked."""

import http.client
import re
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from scanner.receipt import Receipt
from scanner.verify.client import Client, RefusedError
from scanner.verify.providers import HOSTS, Provider, provider_of
from vocabulary.finding import Confidence, Finding

_PLAIN = re.compile(r"[\x21-\x7e]{8,512}")
_UNSAFE = re.compile(r"[/?#%]")
_PATIENCE = 429  # RFC 6585: too many requests
LIMIT = 200
"""Secrets that are asked about in one scan, at most."""


class Verifier:
    """Asks providers, one secret after another, each secret once.

    Args:
        client: how to ask; None for the real one.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._client = client or Client(HOSTS)

    def verified(
        self, findings: Iterable[Finding], secrets: Mapping[str, str], receipt: Receipt
    ) -> tuple[Finding, ...]:
        """Return findings with what their providers say.

        Args:
            findings: of one scan; those that are hidden should not be among them.
            secrets: SHA-256 of a secret → the secret.
            receipt: is told whom was asked about how many, and who could not be asked.
        """
        asking = _Round(self._client, secrets, receipt)
        return tuple(map(asking.one, findings))


class _Round:
    """The questions of one scan."""

    def __init__(self, client: Client, secrets: Mapping[str, str], receipt: Receipt) -> None:
        self._client, self._secrets, self._receipt = client, secrets, receipt
        self._silent: set[str] = set()

    def one(self, finding: Finding) -> Finding:
        """Return a finding with what its provider says, if it has one that is asked."""
        provider = provider_of(finding.rule)
        secret = self._secrets.get(finding.credential.sha256, "")
        if provider is None or not _PLAIN.fullmatch(secret) or _is_wrong(finding):
            return finding
        if sum(self._receipt.asked.values()) >= LIMIT:
            self._warn(f"providers were asked about {LIMIT} secrets and no more")
            return finding
        said = "unknown" if provider.host in self._silent else self._ask(provider, secret)
        return _told(finding, provider.host, said)

    def _ask(self, provider: Provider, secret: str) -> str:
        if "{}" in provider.path and _UNSAFE.search(secret):
            return "unknown"
        headers = {name: value.replace("{}", secret) for name, value in provider.headers.items()}
        path = provider.path.replace("{}", secret)
        asked = self._receipt.asked
        asked[provider.host] = asked.get(provider.host, 0) + 1
        try:
            answer = self._client.ask(provider.method, provider.host, path, headers)
        except RefusedError as error:
            self._warn(f"not asked: {error}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._warn(f"{provider.host} could not be asked: {type(error).__name__}")
        else:
            if answer.status != _PATIENCE:
                return provider.says(answer)
            self._warn(f"{provider.host} asks for patience (429): it was asked no more")
        self._silent.add(provider.host)
        return "unknown"

    def _warn(self, said: str) -> None:
        if said not in self._receipt.warnings:
            self._receipt.warnings.append(said)


def _is_wrong(finding: Finding) -> bool:
    """Say whether a secret's checksum already tells that no provider ever gave it out."""
    return finding.verdict.checksum == "invalid"


def _told(finding: Finding, host: str, said: str) -> Finding:
    """Put what a provider said into a finding."""
    verdict = replace(finding.verdict, provider=said)
    if said == "active":
        return replace(
            finding,
            verdict=verdict,
            severity="critical",
            confidence=Confidence.HIGH.value,
            reasons=(*finding.reasons, f"{host} accepts it"),
        )
    reason = f"{host} refuses it" if said == "inactive" else f"{host} did not say"
    return replace(finding, verdict=verdict, reasons=(*finding.reasons, reason))
