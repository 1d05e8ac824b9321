"""The part of the configuration about keys: ours, those of other stores, tokens of issuers."""

from typing import Annotated

from msgspec import Meta, field

from keywatch.config_table import Table


class KeySettings(Table, frozen=True):
    """What issued keys look like and how long they live."""

    prefix: Annotated[str, Meta(description="prefix of secret keys")] = "sk"
    publishable_prefix: Annotated[str, Meta(description="prefix of publishable keys")] = "pk"
    environments: Annotated[
        tuple[str, ...], Meta(description="environments, the most precious first")
    ] = ("live", "test")
    expiry_days: Annotated[int, Meta(ge=0, description="a new key's life; 0 for no end")] = 90
    max_expiry_days: Annotated[int, Meta(ge=0, description="the longest life; 0 for no end")] = 90
    client_expiry_days: Annotated[
        int,
        Meta(ge=-1, description="life of OAuth clients, at most too; 0 for no end, -1 for as keys"),
    ] = -1
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
    ] = field(default_factory=dict)


class StoreSettings(Table, frozen=True):
    """A store in which keys live that are not ours."""

    name: Annotated[str, Meta(description="how keys and commands call it")] = ""
    type: Annotated[
        str,
        Meta(
            pattern="^(keywatch|sql|http|kong|vault|aws)$",
            description="keywatch, sql, http, kong, vault or aws",
        ),
    ] = "http"
    url: Annotated[
        str, Meta(description="where it is; of databases the URL", extra={"hook": True})
    ] = ""
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


class IssuerSettings(Table, frozen=True):
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
    types: Annotated[
        tuple[str, ...],
        Meta(description="the only `typ` of tokens that are believed; an empty one for none"),
    ] = ("JWT", "at+jwt", "")
    leeway_s: Annotated[
        int, Meta(ge=0, le=300, description="seconds by which clocks may differ")
    ] = 30
    max_life_s: Annotated[
        int, Meta(ge=60, le=86_400, description="the longest life of a token that is believed")
    ] = 3600
    client_max_life_s: Annotated[
        int,
        Meta(ge=0, le=86_400, description="likewise of tokens of a client alone; 0 for the same"),
    ] = 0
    revocation_url: Annotated[str, Meta(description="RFC 7009; empty for none")] = ""
    introspection_url: Annotated[str, Meta(description="RFC 7662; empty for none")] = ""
    client_id: Annotated[str, Meta(description="who asks it")] = ""
    client_secret: Annotated[str, Meta(description="its secret", extra={"secret": True})] = ""
