"""The part of the configuration about the console, and what is told of our own work."""

from typing import Annotated

from msgspec import Meta, field

from keywatch.config_table import Table


class OidcSettings(Table, frozen=True):
    """An OpenID provider through which people log in to the console."""

    issuer: Annotated[str, Meta(description="its issuer URL; empty for none")] = ""
    name: Annotated[str, Meta(description="what the button calls it")] = "single sign-on"
    client_id: Annotated[str, Meta(description="how it knows us")] = ""
    client_secret: Annotated[str, Meta(description="our secret there", extra={"secret": True})] = ""
    scopes: Annotated[tuple[str, ...], Meta(description="what is asked for")] = (
        "openid",
        "profile",
        "email",
    )
    name_claim: Annotated[str, Meta(description="what people are called by here")] = (
        "preferred_username"
    )
    groups_claim: Annotated[str, Meta(description="where their groups are")] = "groups"
    roles: Annotated[
        dict[str, str],
        Meta(description="group → viewer, operator or admin; who has none is not let in"),
    ] = field(default_factory=dict)


class ConsoleSettings(Table, frozen=True):
    """The console and the API."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port; 0 for a free one")] = 8791
    url: Annotated[
        str,
        Meta(description="where people reach it, such as https://keywatch.example; else by port"),
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="CIDR of proxies whose X-Forwarded-For is believed")
    ] = ()
    tls_certificate: Annotated[str, Meta(description="PEM file; empty for plain HTTP")] = ""
    tls_key: Annotated[str, Meta(description="PEM file of its key")] = ""
    oidc: OidcSettings = OidcSettings()


class TelemetrySettings(Table, frozen=True):
    """What is told of keywatch's own work (keywatch[otel])."""

    traces: Annotated[
        str,
        Meta(description="OTLP/HTTP URL such as http://127.0.0.1:4318/v1/traces; empty for none"),
    ] = ""
    service: Annotated[str, Meta(description="beginning of service.name; the part follows")] = (
        "keywatch"
    )
