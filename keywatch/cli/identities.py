"""`keywatch identities`: OAuth clients, tokens' subjects and certificates, and the deny lists."""

import sys
from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import (
    Group,
    json_option,
    limit_option,
    one_more,
    page_of,
    person,
    print_json,
    print_table,
    settings,
)
from keywatch.cli.granting import acting, granting
from keywatch.cli.keys import show
from keywatch.cli.living import VERBS, key_store_of, life_of, print_issued, print_key, revoking

if TYPE_CHECKING:
    from keystore.issuers import Issuer

expires_option = click.option(
    "--expires", default="", metavar="WHEN", help="Such as 30d, an RFC 3339 time, or never."
)
_DENIED = ("jti", "subject", "issuer", "fingerprint", "serial", "name", "credential", "pace")


@click.group(cls=Group)
def command() -> None:
    """Let OAuth clients, tokens' subjects and certificates in; refuse tokens and certificates."""


@command.command("add-client")
@click.option("--id", "client_id", default="", help="Of one that exists. Default: a new one.")
@click.option(
    "--issuer", default="", help="Whose tokens (`iss`) it gets; needed where several are believed."
)
@click.option(
    "--secret-sha256", default="", metavar="HEX", help="Of one that exists. Default: a new secret."
)
@granting
@expires_option
@acting
@click.pass_context
def add_client(
    ctx: click.Context,
    *,
    client_id: str,
    issuer: str,
    secret_sha256: str,
    granted: dict[str, Any],
    expires: str,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Make an OAuth 2.0 client and show its secret, this once; or take one over by its hash."""
    from keystore.identities import Client
    from keystore.issue import KeyOrder

    store = key_store_of(ctx, create=True)
    order = KeyOrder(life_s=life_of(expires, store.clock()), **granted)
    client = Client(client_id, secret_sha256, issuer)
    issued = store.identities.register_client(client, order, actor=person(actor), reason=reason)
    if not issued.secret:
        print_key(store, issued.key, as_json)
        return
    if not as_json:
        click.echo(f"client id: {issued.key.public_id.rpartition(' ')[2]}", err=True)
    print_issued(store, issued, as_json, revoking(store, issued.key.id, person(actor)))


@command.command("new-secret")
@click.argument("key_id", metavar="ID")
@acting
@click.pass_context
def new_secret(ctx: click.Context, key_id: str, actor: str, reason: str, *, as_json: bool) -> None:
    """Give an OAuth 2.0 client another secret, shown this once; the old one ends at once."""
    store = key_store_of(ctx)
    issued = store.identities.renew_secret(key_id, actor=person(actor), reason=reason)
    left = f"the old one has ended, too: keywatch identities new-secret {key_id}"
    print_issued(store, issued, as_json, lambda: left)


@command.command("add-token")
@click.argument("issuer")
@click.argument("subject")
@granting
@expires_option
@acting
@click.pass_context
def add_token(
    ctx: click.Context,
    /,
    issuer: str,
    subject: str,
    *,
    expires: str,
    **named: Any,  # noqa: ANN401  (flags)
) -> None:
    """Let the SUBJECT (`sub`) of an ISSUER's (`iss`) tokens in."""
    from keystore.identities import Name, token_name
    from keystore.keys import Kind

    _register(ctx, Name(Kind.TOKEN, token_name(issuer, subject)), expires, **named)


@command.command("add-certificate")
@click.argument("certificate", metavar="NAME")
@granting
@expires_option
@acting
@click.pass_context
def add_certificate(
    ctx: click.Context,
    /,
    certificate: str,
    *,
    expires: str,
    **named: Any,  # noqa: ANN401  (flags)
) -> None:
    """Let a certificate in by its NAME: sha256:…, spiffe://…, dns:… or cn:…."""
    from keystore.identities import Name
    from keystore.keys import Kind

    _register(ctx, Name(Kind.CERTIFICATE, certificate), expires, **named)


@command.command("list")
@click.option(
    "--kind", default="", type=click.Choice(["", "key", "oauth-client", "token", "certificate"])
)
@limit_option
@json_option
@click.pass_context
def list_(ctx: click.Context, kind: str, limit: int, as_json: bool) -> None:
    """List identities that are no API keys, or those of a kind, the newest first."""
    from keystore.query import Filter
    from keywatch.keystores import identities_table, key_json

    store = key_store_of(ctx)
    found = page_of(store.list(Filter(kind=kind or "!key"), one_more(limit)), limit, "newest")
    now = store.clock()
    if as_json:
        print_json([key_json(key, now) for key in found])
    else:
        print_table(*identities_table(found, now))


@command.command()
@click.argument("by", type=click.Choice(_DENIED))
@click.argument("value", default="")
@click.option("--issuer", default="", help="Only of this issuer (`iss`), or of this CA.")
@click.option(
    "--issued-before", default="", metavar="WHEN", help="Only what is older; now, or an RFC 3339."
)
@click.option("--until", default="", metavar="WHEN", help="Forget it then. Default: never.")
@click.option("--per-min", type=click.IntRange(0), help="Of a pace: requests a minute.")
@acting
@click.pass_context
def deny(
    ctx: click.Context,
    *,
    by: str,
    value: str,
    issuer: str,
    issued_before: str,
    until: str,
    per_min: int | None,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Refuse tokens BY jti, subject or issuer, certificates BY fingerprint, serial or name.

    BY credential, a secret is refused whatever it is: VALUE is what logs and alerts call it
    (credential:…, token:…, certificate:…), its SHA-256, or - for the secret on standard input. BY
    pace, who comes with an unregistered token or certificate is slowed down.
    """
    from keystore.denials import Denial
    from keystore.unregistered import name_of_secret
    from keywatch.holders import denial_json
    from vocabulary.moments import moment_of

    store = key_store_of(ctx, create=True)
    now = store.clock()
    before = now if issued_before == "now" else None
    if issued_before and before is None:
        before = moment_of(issued_before, now)
    end = moment_of(until, now) if until else None
    if by == "credential" and value == "-":
        value = name_of_secret(sys.stdin.read().strip().encode())
    wanted = Denial(
        kind=by, issuer=issuer, value=value, issued_before=before, until=end, per_min=per_min
    )
    denial = store.denials.deny(wanted, actor=person(actor), reason=reason)
    if as_json:
        print_json(denial_json(denial))
    else:
        click.echo(f"denial {denial.id}: {denial.kind} {denial.value or denial.issuer}".rstrip())


@command.command()
@click.argument("number", type=int)
@acting
@click.pass_context
def allow(ctx: click.Context, number: int, actor: str, reason: str, as_json: bool) -> None:
    """Take the denial of this NUMBER back."""
    from keywatch.holders import denial_json

    denial = key_store_of(ctx).denials.allow(number, actor=person(actor), reason=reason)
    if as_json:
        print_json(denial_json(denial))
    else:
        done = "slowed down" if denial.per_min is not None else "refused"
        click.echo(f"{denial.kind} {denial.value} is {done} no more")


@command.command()
@json_option
@click.pass_context
def denied(ctx: click.Context, as_json: bool) -> None:
    """List what is refused or slowed down."""
    from keywatch.holders import denial_json, denials_table

    found = key_store_of(ctx).denials.list()
    if as_json:
        print_json([denial_json(each) for each in found])
    else:
        print_table(*denials_table(found))


@command.command("revoke-token")
@click.argument("issuer")
@click.option("--hint", default="", type=click.Choice(["", "access_token", "refresh_token"]))
@json_option
@click.pass_context
def revoke_token(ctx: click.Context, issuer: str, hint: str, as_json: bool) -> None:
    """Have a configured ISSUER revoke the token on standard input (RFC 7009)."""
    from keystore import issuers

    issuers.revoke_token(_issuer(ctx, issuer), sys.stdin.read().strip(), hint)
    if as_json:
        print_json({"issuer": issuer, "revoked": True})
    else:
        click.echo("the issuer says that it is revoked")


@command.command()
@click.argument("issuer")
@json_option
@click.pass_context
def introspect(ctx: click.Context, issuer: str, as_json: bool) -> None:
    """Ask a configured ISSUER of the token on standard input (RFC 7662)."""
    import msgspec

    from keystore import issuers

    said = issuers.introspect(_issuer(ctx, issuer), sys.stdin.read().strip())
    fields = msgspec.structs.asdict(said)
    if as_json:
        print_json(fields)
    else:
        print_table(("field", "value"), [(name, value) for name, value in fields.items() if value])
        click.echo("the token is good" if said.active else "the token is not good")


def _register(
    ctx: click.Context,
    name: Any,  # noqa: ANN401  (keystore is imported when it is needed)
    expires: str,
    granted: dict[str, Any],
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    from keystore.issue import KeyOrder

    store = key_store_of(ctx, create=True)
    order = KeyOrder(life_s=life_of(expires, store.clock()), **granted)
    key = store.identities.register(name, order, actor=person(actor), reason=reason)
    print_key(store, key, as_json)


def _issuer(ctx: click.Context, name: str) -> "Issuer":
    from keywatch.keystores import issuers_of
    from vocabulary.errors import UsageError

    known = issuers_of(settings(ctx).issuers)
    if name not in known:
        raise UsageError(f"no issuer is called {name!r}", remedy="configure it as [[issuers]]")
    return known[name]


for verb in (show, *VERBS):
    command.add_command(verb)
