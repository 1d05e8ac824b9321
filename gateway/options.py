"""What an operator can choose of the gateway."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.endpoints import Endpoint
from gateway.extract import CERTIFICATE_HEADERS
from gateway.limits import Limit
from keystore.issuers import Issuer
from vocabulary.errors import ConfigError

Clock = Callable[[], float]
"""Epoch seconds."""

Ticks = Callable[[], int]
"""Nanoseconds that never go back, whatever happens to the clock."""


@dataclass(frozen=True, slots=True)
class Options:
    """The gateway's choices; the defaults suit one gateway before one application.

    Attributes:
        headers: further headers whose value is a key.
        query_keys: whether `?api_key=`, `?apiKey=` or `?key=` may carry one.
        trusted_proxies: networks (CIDR) whose X-Forwarded-For and X-Request-Id are believed.
        limits: what each key may do that has no limits of its own, beside the throttle that the
            key store set on it.
        account_limits: what the keys of one account may do together.
        ip_limits: what may come from one address (IPv6: one /64), whatever keys it shows.
        global_limits: what may come at all.
        endpoints: what endpoints ask for, and their limits.
        issuers: whose tokens (JWT) are taken, beside a key or in its place.
        certificate_header: the header in which the trusted proxies tell of client certificates,
            and which they set or remove on every request: `x-ssl-client-cert` (beside
            `x-ssl-client-verify`), `x-forwarded-client-cert` or `client-cert`. Every other one of
            that kind is stripped. Empty where no certificates are taken.
        certificate_hash_suffices: whether X-Forwarded-Client-Cert is believed without `Cert`.
        certificate_max_life_s: longest life of a certificate from its begin to its end, beyond
            which it is refused; 0 for any.
        certificate_authorities: files (PEM) with the CAs whose revocation lists and responders
            are believed.
        revocation_lists: files, a CRL (RFC 5280) each; every certificate must then be of a CA
            with a list that is good now. None for no such check.
        ocsp: URL of the responder (RFC 6960) that is asked about every certificate,
            `certificate` for the one that it names itself; empty for none.
        unregistered: whether a good token or certificate is enough where the key store knows no
            identity of its name; deny lists hold for all.
        redis: URL of the Redis by which several gateways share limits and look-ups; empty for none.
        closed_without_redis: whether nobody is let in who has limits while it is away; else each
            gateway counts by itself.
        tokens_header: header in which the application says how many AI tokens an answer cost;
            empty for none.
        count_uses: whether the gateway counts how much each key is used: `auto` unless `watch`
            does, `always` or `never`.
        uses_kept_s: seconds for which these counts are kept; 0 for ever.
        metrics: whether /metrics is answered, to this machine alone.
        cached_keys: keys held in memory.
        cached_unknown: unknown credentials held in memory; apart, so that random ones cannot
            push known keys out.
        cached_s: seconds after which a key is read again, even if the feed said nothing.
        silence_s: seconds without word from the key store after which nobody is let in.
        peppers: pepper id → pepper, for imported keys.
    """

    headers: tuple[str, ...] = ()
    query_keys: bool = False
    trusted_proxies: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    account_limits: tuple[Limit, ...] = ()
    ip_limits: tuple[Limit, ...] = ()
    global_limits: tuple[Limit, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    certificate_header: str = ""
    certificate_hash_suffices: bool = False
    certificate_max_life_s: float = 0.0
    certificate_authorities: tuple[str, ...] = ()
    revocation_lists: tuple[str, ...] = ()
    ocsp: str = ""
    unregistered: bool = False
    redis: str = field(default="", repr=False)
    closed_without_redis: bool = True
    tokens_header: str = ""
    count_uses: str = "auto"
    uses_kept_s: float = 400 * 86_400.0
    metrics: bool = False
    cached_keys: int = 200_000
    cached_unknown: int = 50_000
    cached_s: float = 60.0
    silence_s: float = 1.0
    peppers: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse a header of certificates that nobody here can read."""
        if self.certificate_header and self.certificate_header not in CERTIFICATE_HEADERS:
            raise ConfigError(
                f"no client certificate is read from {self.certificate_header!r}",
                where="gateway.certificate_header",
                remedy=" or ".join(CERTIFICATE_HEADERS),
            )
