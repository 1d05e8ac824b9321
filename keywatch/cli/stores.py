"""`keywatch stores`: keys that live elsewhere."""

import sys
from typing import TYPE_CHECKING

import click

from keywatch.cli.common import (
    Did,
    Group,
    engine,
    json_option,
    person,
    print_json,
    print_table,
    settings,
    telling,
)
from keywatch.cli.granting import acting
from keywatch.cli.living import key_store_of, print_key
from vocabulary.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from keystore.adapters import Adapter, Foreign
    from vocabulary.credential import Credential

store_argument = click.argument("store")
key_argument = click.argument("key_id", metavar="ID")
public_id_option = click.option(
    "--public-id", default="", help="The key's public part, such as AKIA…. Default: none."
)
sha256_option = click.option(
    "--sha256", default="", metavar="HEX", help="Of the key. Default: the key on standard input."
)


@click.group(cls=Group)
def command() -> None:
    """Look at keys that live elsewhere, and have them follow what is decided here."""


@command.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the configured stores."""
    stores = settings(ctx).stores
    rows = [(each.name, each.type, each.table or each.path or each.region) for each in stores]
    if as_json:
        print_json([{"name": name, "type": kind, "keys": keys} for name, kind, keys in rows])
    else:
        print_table(("store", "type", "keys"), rows)


@command.command()
@store_argument
@public_id_option
@sha256_option
@json_option
@click.pass_context
def find(ctx: click.Context, store: str, public_id: str, sha256: str, as_json: bool) -> int:
    """Say whether STORE knows a key; only hashes of it are sent."""
    found = _adapter(ctx, store).find(_credential(ctx, public_id, sha256))
    if found is None:
        click.echo(f"{store} does not know it", err=True)
        return ExitCode.INCOMPLETE
    _print(found, as_json)
    return ExitCode.OK


@command.command()
@store_argument
@public_id_option
@sha256_option
@click.option("--owner", default="", help="Who is told when something happens to it.")
@acting
@click.pass_context
def adopt(
    ctx: click.Context,
    *,
    store: str,
    public_id: str,
    sha256: str,
    owner: str,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Take a key of STORE over: what is done to it here is done to it there."""
    from keystore.issue import KeyOrder, Origin
    from keystore.keys import PUBLIC_ID, SHA256, public_id_hash

    credential = _credential(ctx, public_id, sha256)
    found = _adapter(ctx, store).find(credential)
    if found is None:
        raise UsageError(f"{store} does not know it", remedy="look at the key again")
    ours = key_store_of(ctx, create=True)
    by_hash = bool(sha256) or not public_id
    digest = credential.sha256 if by_hash else public_id_hash(public_id)
    origin = Origin(digest, SHA256 if by_hash else PUBLIC_ID, found.public_id or public_id)
    order = KeyOrder(
        name=found.name,
        owner=owner or found.owner,
        store=store,
        external_id=found.id,
    )
    key = ours.adopt(order, origin, actor=person(actor), reason=reason)
    print_key(ours, key, as_json)


@command.command()
@store_argument
@key_argument
@click.pass_context
@telling
def revoke(ctx: click.Context, store: str, key_id: str) -> Did:
    """Have STORE let a key in no more, whatever is said here."""
    _adapter(ctx, store).revoke(key_id)
    told = {"store": store, "id": key_id, "done": "revoke"}
    return Did(told, f"{store} has revoked {key_id}")


@command.command()
@store_argument
@key_argument
@click.option("--per-min", required=True, type=click.IntRange(1), help="Requests a minute.")
@click.pass_context
@telling
def throttle(ctx: click.Context, store: str, key_id: str, per_min: int) -> Did:
    """Have STORE let only so many requests a minute of a key through."""
    _adapter(ctx, store).throttle(key_id, per_min)
    told = {"store": store, "id": key_id, "done": "throttle", "per_min": per_min}
    return Did(told, f"{store} has throttled {key_id} to {per_min}/min")


@command.command()
@store_argument
@key_argument
@click.pass_context
@telling
def restore(ctx: click.Context, store: str, key_id: str) -> Did:
    """Have STORE let a key in as before."""
    _adapter(ctx, store).restore(key_id)
    told = {"store": store, "id": key_id, "done": "restore"}
    return Did(told, f"{store} has restored {key_id}")


@command.command()
@click.pass_context
@telling
def follow(ctx: click.Context) -> Did:
    """Carry to every store what changed here since the last time; `watch` does so all the time."""
    from keywatch.carrying import carrying

    said: list[str] = []
    with carrying(engine(ctx, create=False), settings(ctx).stores, said.append, once=True):
        pass
    for sentence in said:
        click.echo(f"keywatch: {sentence}", err=True)
    return Did({"failed": said}, code=ExitCode.INCOMPLETE if said else ExitCode.OK)


def _adapter(ctx: click.Context, store: str) -> "Adapter":
    from keywatch.carrying import stores_of

    known = stores_of([each for each in settings(ctx).stores if each.name == store])
    if store not in known:
        raise UsageError(f"no store is called {store!r}", remedy="configure it as [[stores]]")
    return known[store]


def _credential(ctx: click.Context, public_id: str, sha256: str) -> "Credential":
    from vocabulary.credential import Credential, credential_of

    if sha256:
        return Credential(sha256.lower(), public_id)
    peppers = {name: pepper.encode() for name, pepper in settings(ctx).keys.peppers.items()}
    secret = "" if public_id else sys.stdin.read().strip()
    if not secret and not public_id:
        raise UsageError("there is no key on standard input", remedy="or name its --public-id")
    return credential_of(secret or public_id, peppers=peppers, public_id=public_id)


def _print(found: "Foreign", as_json: bool) -> None:
    import msgspec

    fields = msgspec.structs.asdict(found)
    if as_json:
        print_json(fields)
    else:
        print_table(("field", "value"), [(name, value) for name, value in fields.items()])
