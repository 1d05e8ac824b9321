"""The part of the configuration that is about the gateway."""

from typing import Annotated

from msgspec import Meta

from keywatch.config_table import Table
from vocabulary.errors import ConfigError


class EndpointSettings(Table, frozen=True):
    """What some endpoints of the API behind the gateway ask for."""

    pattern: Annotated[str, Meta(description="such as `GET /v1/*`; without method for all")] = "/*"
    scopes: Annotated[tuple[str, ...], Meta(description="scopes that a key needs, all")] = ()
    limits: Annotated[tuple[str, ...], Meta(description="limits such as 10/min")] = ()
    per: Annotated[
        str,
        Meta(
            pattern="^(endpoint|key|account|ip)$",
            description="whom a limit counts: everybody together (endpoint), or each of these",
        ),
    ] = "endpoint"


class GatewaySettings(Table, frozen=True):
    """The enforcement point."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port; 0 for a free one")] = 8790
    headers: Annotated[tuple[str, ...], Meta(description="further headers that carry keys")] = ()
    query_keys: Annotated[bool, Meta(description="take keys from the query string")] = False
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="CIDR of proxies whose X-Forwarded-For is believed")
    ] = ()
    access_log: Annotated[str, Meta(description="file to write; empty for none")] = ""
    events: Annotated[
        str,
        Meta(description="file of access events that `watch` reads by itself; empty for none"),
    ] = ""
    tokens_header: Annotated[
        str,
        Meta(description="header in which your API says how many AI tokens its answer cost"),
    ] = ""
    count_uses: Annotated[
        str,
        Meta(
            pattern="^(auto|always|never)$",
            description="count how much each key is used; auto: unless `watch` reads access logs",
        ),
    ] = "auto"
    metrics: Annotated[
        bool, Meta(description="answer /metrics for Prometheus, to this machine alone")
    ] = False
    canary_s: Annotated[
        float,
        Meta(ge=0, description="seconds between two measurements of the lockout; 0 for none"),
    ] = 0.0
    limits: Annotated[
        tuple[str, ...],
        Meta(description="of keys without limits of their own: 600/min, 20/s:5 (5 at once)"),
    ] = ()
    account_limits: Annotated[
        tuple[str, ...], Meta(description="what all keys of an account may do together")
    ] = ()
    ip_limits: Annotated[
        tuple[str, ...], Meta(description="what may come from one address, whatever key it shows")
    ] = ()
    global_limits: Annotated[tuple[str, ...], Meta(description="what may come at all")] = ()
    endpoints: tuple[EndpointSettings, ...] = ()
    redis: Annotated[
        str,
        Meta(
            description="URL of a Redis: gateways share limits and look-ups, hear of changes",
            extra={"secret": True},
        ),
    ] = ""
    closed_without_redis: Annotated[
        bool, Meta(description="let nobody in who has limits while Redis is away")
    ] = True
    stale_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            description="seconds for which keys in memory are believed while the store is away",
        ),
    ] = 1.0
    cached_s: Annotated[
        float, Meta(ge=1, le=600, description="seconds after which a key in memory is read again")
    ] = 60.0
    cached_keys: Annotated[
        int, Meta(ge=100, le=100_000_000, description="keys held in memory, some 340 bytes each")
    ] = 200_000
    cached_unknown: Annotated[
        int, Meta(ge=100, le=100_000_000, description="unknown keys held in memory")
    ] = 50_000
    certificates: Annotated[
        bool, Meta(description="refused: name your proxy's `certificate_header` instead")
    ] = False
    certificate_header: Annotated[
        str,
        Meta(
            pattern="^(|x-ssl-client-cert|x-forwarded-client-cert|client-cert)$",
            description="the one header in which your proxy tells of client certificates, and "
            "which it sets or removes on every request; empty to take none",
        ),
    ] = ""
    certificate_hash_suffices: Annotated[
        bool,
        Meta(
            description="believe X-Forwarded-Client-Cert without `Cert`: no dates, no CRL, no OCSP"
        ),
    ] = False
    certificate_max_life_days: Annotated[
        int,
        Meta(ge=0, description="refuse certificates made to live longer; 0: warn beyond 398 days"),
    ] = 0
    certificate_authorities: Annotated[
        tuple[str, ...], Meta(description="files (PEM) of the CAs whose CRL and OCSP are believed")
    ] = ()
    revocation_lists: Annotated[
        tuple[str, ...], Meta(description="files, a CRL each; what no list covers is refused")
    ] = ()
    ocsp: Annotated[
        str,
        Meta(description="URL to ask of certificates; `certificate` for the one they name"),
    ] = ""
    unregistered: Annotated[
        bool,
        Meta(description="let good tokens and certificates in that name no registered identity"),
    ] = False
    upstream: Annotated[
        str, Meta(description="URL of the server that gets what is let in; empty for none")
    ] = ""

    def __post_init__(self) -> None:
        """Refuse what would believe any header of certificates, whoever wrote it."""
        if self.certificates:
            raise ConfigError(
                "it believed every header that tells of a certificate, also those that the proxy "
                "only hands on from its client",
                where="gateway.certificates",
                remedy="write the one that your proxy sets: certificate_header = "
                '"x-ssl-client-cert" (nginx), "x-forwarded-client-cert" (Envoy) or "client-cert" '
                "(Caddy)",
            )
