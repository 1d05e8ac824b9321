"""Configuration: keywatch.toml, then KEYWATCH_… of the environment, then flags; the last wins.

The tree below is the whole of it. `config init`, `config show` and docs/reference are made from
its names, types, defaults and descriptions.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta

from keywatch.config_streams import PublishSettings, RepositorySettings, SourceSettings
from keywatch.scanning import DEFAULT_DATABASE, DEFAULT_FILE
from vocabulary.errors import ConfigError


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class KeySettings(_Table, frozen=True):
    """What issued keys look like and how long they live."""

    prefix: Annotated[str, Meta(description="prefix of secret keys")] = "sk"
    publishable_prefix: Annotated[str, Meta(description="prefix of publishable keys")] = "pk"
    environments: Annotated[
        tuple[str, ...], Meta(description="environments, the most precious first")
    ] = ("live", "test")
    expiry_days: Annotated[int, Meta(ge=0, description="a new key's life; 0 for no end")] = 90
    max_expiry_days: Annotated[int, Meta(ge=0, description="the longest life; 0 for no end")] = 90
    grace_days: Annotated[int, Meta(ge=0, description="how long a rotated key goes on working")] = (
        30
    )
    grace_idle_days: Annotated[
        int, Meta(ge=0, description="days without traffic that end a grace early; 0 for none do")
    ] = 7
    usage_days: Annotated[
        int, Meta(ge=0, description="days that uses are kept for; 0 for ever")
    ] = 400
    peppers: Annotated[
        dict[str, str],
        Meta(description="pepper id → pepper, for imported keys", extra={"secret": True}),
    ] = {}


class ScanSettings(_Table, frozen=True):
    """How repositories and files are scanned."""

    rules: Annotated[
        tuple[str, ...], Meta(description="further rule files; they add to ours or replace them")
    ] = ()
    disabled: Annotated[tuple[str, ...], Meta(description="ids of rules left out")] = ()
    confidence: Annotated[
        str, Meta(pattern="^(low|medium|high)$", description="what is shown: low, medium or high")
    ] = "medium"
    ignore: Annotated[
        str, Meta(description="file of ignored findings; empty for ignore.toml of the user")
    ] = ""
    fingerprint_key: Annotated[
        str,
        Meta(
            description="key for fingerprints; empty for the repository's own",
            extra={"secret": True},
        ),
    ] = ""


class WatchSettings(_Table, frozen=True):
    """How logs are watched."""

    chunk_lines: Annotated[
        int, Meta(ge=1, le=1_000_000, description="lines that are committed together, at most")
    ] = 50_000
    sensitivity: Annotated[
        dict[str, float],
        Meta(
            description="class, key id or * → how much sooner it is alerted about, in -log10 p; "
            "negative for later"
        ),
    ] = {}
    max_outbox: Annotated[
        int,
        Meta(ge=0, description="effects that may wait before sources are read no further; 0: any"),
    ] = 10_000
    profiles_in_memory: Annotated[
        int,
        Meta(
            ge=1000,
            description="keys whose profiles are held in memory, 4 KB each; those used longest "
            "ago wait in the database",
        ),
    ] = 1_000_000
    shared: Annotated[
        bool,
        Meta(
            description="several workers share the topic, whose records are keyed by key id: "
            "profiles go with its partitions"
        ),
    ] = False
    model: Annotated[
        str, Meta(description="model of sessions, from `keywatch model train`; empty for none")
    ] = ""


class GeoipSettings(_Table, frozen=True):
    """Where addresses are; without files a built-in table of countries serves."""

    city: Annotated[str, Meta(description="MaxMind or DB-IP city or country file (.mmdb)")] = ""
    asn: Annotated[str, Meta(description="MaxMind or DB-IP ASN file (.mmdb)")] = ""


class ActionSettings(_Table, frozen=True):
    """What keywatch may do by itself."""

    enabled: Annotated[
        tuple[str, ...],
        Meta(
            description="actions that are carried out: throttle, suspend, rotate, reissue, revoke"
        ),
    ] = ()
    policy: Annotated[str, Meta(description="policy file; empty for the built-in one")] = ""
    hook: Annotated[
        str, Meta(description="file.py:function that has a say in each decision; empty for none")
    ] = ""


class NotifierSettings(_Table, frozen=True):
    """Somebody who is told."""

    name: Annotated[str, Meta(description="how the policy calls it")] = "security"
    type: Annotated[
        str,
        Meta(
            description="log, webhook, email, slack, pagerduty, github, syslog, ocsf, ecs, "
            "cloudevents or apprise"
        ),
    ] = "log"
    url: Annotated[
        str,
        Meta(
            description="where to: https://…, smtp://host:587, udp://host:514, file:///path, "
            "kafka://host:port/topic; empty where the type knows it"
        ),
    ] = ""
    secret: Annotated[
        str,
        Meta(
            description="what only this receiver may know: whsec_…, token, routing key, password, "
            "Authorization header, or address of Apprise",
            extra={"secret": True},
        ),
    ] = ""
    to: Annotated[
        tuple[str, ...], Meta(description="email: recipients; none for the owner of the key")
    ] = ()
    sender: Annotated[str, Meta(description="email: from whom")] = ""
    username: Annotated[str, Meta(description="email: to log in with; empty for no login")] = ""
    channel: Annotated[str, Meta(description="slack: id of the channel")] = ""
    repository: Annotated[str, Meta(description="github: owner/name for issues")] = ""
    audience: Annotated[
        str,
        Meta(
            pattern="^(|owner|security)$",
            description="owner or security: which template; empty for what the name says",
        ),
    ] = ""
    template: Annotated[str, Meta(description="file in place of the built-in template")] = ""
    link: Annotated[
        str, Meta(description="page for a new key or the incident; with $key, $incident")
    ] = ""
    quiet: Annotated[str, Meta(description="hours in which only what is urgent is told")] = ""
    tz: Annotated[str, Meta(description="whose hours these are, such as Europe/Berlin")] = "UTC"
    digest: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]+ ?[smhdw])?$",
            description="for how long what is not urgent is gathered, such as 1h",
        ),
    ] = ""
    per_hour: Annotated[
        int, Meta(ge=0, description="more messages an hour than this become one; 0 for no limit")
    ] = 0
    urgent: Annotated[
        str,
        Meta(
            pattern="^(low|medium|high|critical)$",
            description="from this severity on nothing waits",
        ),
    ] = "critical"
    keys: Annotated[
        tuple[str, ...],
        Meta(description="what is told of keys too: rotate, close_grace, revoke, …; * for all"),
    ] = ()


class EndpointSettings(_Table, frozen=True):
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


class GatewaySettings(_Table, frozen=True):
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
    certificates: Annotated[
        bool, Meta(description="take client certificates that a trusted proxy tells of")
    ] = False
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


class IssuerSettings(_Table, frozen=True):
    """Somebody whose OAuth 2.0 tokens are believed."""

    name: Annotated[str, Meta(description="how the commands call it")] = ""
    issuer: Annotated[str, Meta(description="the `iss` of its tokens")] = ""
    audiences: Annotated[tuple[str, ...], Meta(description="one of them must be in `aud`")] = ()
    algorithms: Annotated[
        tuple[str, ...], Meta(description="the only algorithms that are believed")
    ] = ("RS256", "ES256")
    jwks_url: Annotated[str, Meta(description="where its public keys are")] = ""
    shared_secret: Annotated[
        str, Meta(description="for HS algorithms, 32 bytes or more", extra={"secret": True})
    ] = ""
    leeway_s: Annotated[
        int, Meta(ge=0, le=300, description="seconds by which clocks may differ")
    ] = 30
    max_life_s: Annotated[
        int, Meta(ge=60, le=86_400, description="the longest life of a token that is believed")
    ] = 3600
    revocation_url: Annotated[str, Meta(description="RFC 7009; empty for none")] = ""
    introspection_url: Annotated[str, Meta(description="RFC 7662; empty for none")] = ""
    client_id: Annotated[str, Meta(description="who asks it")] = ""
    client_secret: Annotated[str, Meta(description="its secret", extra={"secret": True})] = ""


class StoreSettings(_Table, frozen=True):
    """A store in which keys live that are not ours."""

    name: Annotated[str, Meta(description="how keys and commands call it")] = ""
    type: Annotated[
        str,
        Meta(
            pattern="^(keywatch|sql|http|kong|vault|aws)$",
            description="keywatch, sql, http, kong, vault or aws",
        ),
    ] = "http"
    url: Annotated[str, Meta(description="where it is; of databases the URL")] = ""
    secret: Annotated[
        str, Meta(description="http: signing secret; kong, vault: token", extra={"secret": True})
    ] = ""
    plain_http: Annotated[bool, Meta(description="whether http may leave this machine")] = False
    table: Annotated[str, Meta(description="sql: the table, such as app.api_keys")] = ""
    id_column: Annotated[str, Meta(description="sql: its primary key")] = "id"
    hash_column: Annotated[str, Meta(description="sql: SHA-256 or HMAC, hex")] = ""
    pepper: Annotated[str, Meta(description="sql: id of the pepper of the HMAC")] = ""
    public_id_column: Annotated[str, Meta(description="sql: where there is no hash")] = ""
    state_column: Annotated[str, Meta(description="sql: whether the key is let in")] = "state"
    active_value: Annotated[str, Meta(description="sql: its value of a key that is")] = "active"
    revoked_value: Annotated[str, Meta(description="sql: of one that is not")] = "revoked"
    throttle_column: Annotated[str, Meta(description="sql: requests a minute; empty for none")] = ""
    name_column: Annotated[str, Meta(description="sql: what people call the key")] = ""
    owner_column: Annotated[str, Meta(description="sql: whose it is")] = ""
    mount: Annotated[str, Meta(description="vault: of the KV version 2 engine")] = "secret"
    path: Annotated[str, Meta(description="vault: below which keys are looked for")] = ""
    region: Annotated[str, Meta(description="aws: of API Gateway; empty for IAM alone")] = ""


class OidcSettings(_Table, frozen=True):
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
    ] = {}


class ConsoleSettings(_Table, frozen=True):
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


class TelemetrySettings(_Table, frozen=True):
    """What is told of keywatch's own work (keywatch[otel])."""

    traces: Annotated[
        str,
        Meta(description="OTLP/HTTP URL such as http://127.0.0.1:4318/v1/traces; empty for none"),
    ] = ""
    service: Annotated[str, Meta(description="beginning of service.name; the part follows")] = (
        "keywatch"
    )


class Settings(_Table, frozen=True):
    """The whole configuration."""

    database: Annotated[str, Meta(description="URL of the one database")] = (
        f"sqlite:///{DEFAULT_DATABASE}"
    )
    keys: KeySettings = KeySettings()
    scan: ScanSettings = ScanSettings()
    sources: tuple[SourceSettings, ...] = ()
    watch: WatchSettings = WatchSettings()
    geoip: GeoipSettings = GeoipSettings()
    actions: ActionSettings = ActionSettings()
    notify: tuple[NotifierSettings, ...] = (NotifierSettings(),)
    gateway: GatewaySettings = GatewaySettings()
    issuers: tuple[IssuerSettings, ...] = ()
    stores: tuple[StoreSettings, ...] = ()
    repositories: RepositorySettings = RepositorySettings()
    publish: PublishSettings = PublishSettings()
    console: ConsoleSettings = ConsoleSettings()
    telemetry: TelemetrySettings = TelemetrySettings()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry of the tree: where it is, its type, its default, what it means."""

    address: tuple[str, ...]
    type: Any
    default: Any
    description: str
    secret: bool

    @property
    def variable(self) -> str:
        """The name of the environment variable that sets it."""
        return "KEYWATCH_" + "_".join(self.address).upper()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The effective settings, and where each value that is no default came from."""

    settings: Settings
    origins: Mapping[tuple[str, ...], str]


def load(
    file: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """Put the three sources together.

    Args:
        file: a path; None for keywatch.toml of the current directory, if it is there.
        environ: the environment; None for the process's.
        flags: dotted entry → value.

    Raises:
        ConfigError: for any entry that is unknown or wrong, with where it stands.
    """
    tree, origins = _from_file(file)
    for leaf, text in _from_environment(os.environ if environ is None else environ):
        _put(tree, leaf.address, _converted(leaf, text))
        origins[leaf.address] = leaf.variable
    for entry, value in (flags or {}).items():
        _put(tree, tuple(entry.split(".")), value)
        origins[tuple(entry.split("."))] = f"--{entry.split('.')[-1]}"
    return Loaded(msgspec.convert(tree, Settings), origins)


def leaves(kind: type[msgspec.Struct] = Settings, above: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every single entry of the tree; arrays of tables are one entry."""
    for field in msgspec.structs.fields(kind):
        inner = _plain(field.type)
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from leaves(inner, (*above, field.name))
        else:
            meta = _meta(field.type)
            extra = (meta.extra or {}) if meta else {}
            default = (
                field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            )
            yield Leaf(
                (*above, field.name),
                inner,
                default,
                (meta.description or "") if meta else "",
                bool(extra.get("secret")),
            )


def tables(kind: object) -> type[msgspec.Struct] | None:
    """Return the struct of an array of tables, None for any other entry."""
    inner = [arg for arg in get_args(kind) if isinstance(arg, type)]
    return next((arg for arg in inner if issubclass(arg, msgspec.Struct)), None)


def _from_file(file: str | None) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    path = Path(file or DEFAULT_FILE)
    if file is None and not path.exists():
        return {}, {}
    from vocabulary import toml  # noqa: PLC0415  (a scan without a configuration reads no TOML)

    text = toml.text_of(path)
    tree = toml.tree_of(text, str(path))
    lines = toml.lines_of(text)
    try:
        msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise toml.refusal(error, Settings, str(path), lines) from None
    known = {leaf.address for leaf in leaves()}
    origins = {
        address: f"{path}:{toml.nearest_line(lines, address)}"
        for address in known
        if _has(tree, address)
    }
    return tree, origins


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[Leaf, str]]:
    known = {leaf.variable: leaf for leaf in leaves() if tables(leaf.type) is None}
    for name, text in environ.items():
        if name in known:
            yield known[name], text
        elif name.startswith("KEYWATCH_"):
            near = get_close_matches(name, known, 1, 0.5)
            raise ConfigError(
                "there is no such setting",
                where=name,
                remedy=f"did you mean {near[0]}?" if near else "see `keywatch config show`",
            )


def _converted(leaf: Leaf, text: str) -> Any:  # noqa: ANN401
    value: Any = text
    if get_origin(leaf.type) is tuple:
        value = [part.strip() for part in text.split(",") if part.strip()]
    elif get_origin(leaf.type) is dict:
        value = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    try:
        return msgspec.to_builtins(msgspec.convert(value, leaf.type, strict=False))
    except msgspec.ValidationError as error:
        said = str(error)
        raise ConfigError(said[:1].lower() + said[1:], where=leaf.variable) from None


def _put(tree: dict[str, Any], address: tuple[str, ...], value: Any) -> None:  # noqa: ANN401
    for name in address[:-1]:
        tree = tree.setdefault(name, {})
    tree[address[-1]] = value


def _has(tree: Any, address: tuple[str, ...]) -> bool:  # noqa: ANN401
    for name in address:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def _plain(kind: Any) -> Any:  # noqa: ANN401
    """Return the type without its description, so that constraints on values stay."""
    return kind if get_origin(kind) in (tuple, dict, UnionType) else _unwrapped(kind)


def _unwrapped(kind: Any) -> Any:  # noqa: ANN401
    meta = _meta(kind)
    if meta is None:
        return kind
    bare = get_args(kind)[0]
    constrained = any((meta.ge is not None, meta.le is not None, meta.pattern))
    return kind if constrained else bare


def _meta(kind: Any) -> Meta | None:  # noqa: ANN401
    return next((arg for arg in get_args(kind) if isinstance(arg, Meta)), None)
