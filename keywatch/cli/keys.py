"""`keywatch keys`: issue keys, look at them, and change what they may do."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from keywatch.cli.common import (
    engine,
    json_option,
    person,
    print_json,
    print_table,
    settings,
)
from vocabulary.moments import moment_of, rfc3339, seconds_of

if TYPE_CHECKING:
    from keystore.issue import Issued
    from keystore.keys import Key
    from keystore.store import KeyStore

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def command() -> None:
    """Issue keys, look at them, throttle, rotate, revoke and restore them."""


def acting(verb: F) -> F:
    """Give a command the options that every change of a key has."""
    reason = click.option(
        "--reason", default="asked for on the command line", help="Why, for the audit log."
    )
    actor = click.option("--actor", default="", help="Who, for the audit log. Default: you.")
    return json_option(reason(actor(verb)))


key_argument = click.argument("key_id", metavar="KEY")
until_option = click.option(
    "--until", default="", metavar="WHEN", help="Such as 2h or an RFC 3339 time. Default: no end."
)


@command.command()
@click.option("--owner", default="", help="Who is told when something happens to the key.")
@click.option("--account", default="", help="The account it belongs to; made when there is none.")
@click.option("--environment", default="", help="Such as live or test. Default: the first one.")
@click.option("--scope", "scopes", multiple=True, help="What it may do; may be repeated.")
@click.option("--name", default="", help="What people call it.")
@click.option(
    "--class", "key_class", default="", help="Its user: human, service, cron, mobile or ai."
)
@click.option("--tz", default="", help="The owner's time zone, such as Europe/Paris.")
@click.option("--publishable", is_flag=True, help="A key that may stand in public code.")
@click.option(
    "--expires", default="", metavar="WHEN", help="Such as 30d, an RFC 3339 time, or never."
)
@acting
@click.pass_context
def create(  # noqa: PLR0917  (one parameter a flag)
    ctx: click.Context,
    owner: str,
    account: str,
    environment: str,
    scopes: tuple[str, ...],
    name: str,
    key_class: str,
    tz: str,
    publishable: bool,
    expires: str,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Make a key and show it, this once."""
    from keystore.issue import KeyOrder

    store = _store(ctx, create=True)
    order = KeyOrder(
        environment=environment,
        publishable=publishable,
        name=name,
        owner=owner,
        account=account,
        key_class=key_class,
        tz=tz,
        scopes=scopes,
        life_s=_life(expires, store.clock()),
    )
    _print_issued(store, store.create(order, actor=person(actor), reason=reason), as_json)


@command.command("list")
@click.option("--owner", default="", help="Of this owner only.")
@click.option("--account", default="", help="Of this account only.")
@click.option("--environment", default="", help="Of this environment only.")
@click.option(
    "--state",
    default="",
    type=click.Choice(["", "active", "deprecated", "revoked", "expired"]),
    help="In this state only.",
)
@click.option(
    "--limit", default=100, type=click.IntRange(0), show_default=True, help="0 for all of them."
)
@json_option
@click.pass_context
def list_(
    ctx: click.Context,
    owner: str,
    account: str,
    environment: str,
    state: str,
    limit: int,
    as_json: bool,
) -> None:
    """List keys, the newest first."""
    from keystore.query import Filter
    from keywatch.keystores import key_json, table

    store = _store(ctx)
    wanted = Filter(owner=owner, account_id=account, environment=environment, state=state)
    found = store.list(wanted, limit + 1 if limit else None)
    shown, now = found[: limit or None], store.clock()
    if as_json:
        print_json([key_json(key, now) for key in shown])
    else:
        print_table(*table(shown, now))
    if len(found) > len(shown):
        click.echo(f"keywatch: only the newest {limit} are shown (--limit 0 for all)", err=True)


@command.command()
@key_argument
@json_option
@click.pass_context
def show(ctx: click.Context, key_id: str, as_json: bool) -> None:
    """Show a key and what was done to it."""
    from database.transaction import reading
    from keystore.audit import rows_of
    from keywatch.keystores import key_json

    store = _store(ctx)
    key = store.get(key_id)
    with reading(store.engine) as connection:
        history = rows_of(connection, key_id)
    fields = key_json(key, store.clock())
    acts = [(rfc3339(row.at), row.actor, row.verb, row.reason) for row in history]
    if as_json:
        names = ("at", "actor", "verb", "reason")
        print_json(fields | {"history": [dict(zip(names, act, strict=True)) for act in acts]})
        return
    print_table(("field", "value"), [(name, _shown(value)) for name, value in fields.items()])
    click.echo()
    print_table(("at", "who", "did", "why"), acts)


@command.command()
@key_argument
@click.option("--grace", default="", metavar="DURATION", help="How long the old key goes on.")
@click.option("--emergency", is_flag=True, help="Revoke the old key at once.")
@acting
@click.pass_context
def rotate(
    ctx: click.Context,
    key_id: str,
    grace: str,
    emergency: bool,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Replace a key with a new one of the same grants, and show that, this once."""
    if grace and emergency:
        raise click.UsageError("--emergency has no --grace")
    grace_s = 0.0 if emergency else seconds_of(grace) if grace else None
    store = _store(ctx)
    issued = store.rotate(key_id, actor=person(actor), reason=reason, grace_s=grace_s)
    _print_issued(store, issued, as_json)
    _print_key(store, store.get(key_id), as_json=False, err=True)


@command.command()
@key_argument
@click.option("--per-min", required=True, type=click.IntRange(1), help="Requests a minute.")
@until_option
@acting
@click.pass_context
def throttle(
    ctx: click.Context,
    key_id: str,
    per_min: int,
    until: str,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Let only so many requests a minute through."""
    store = _store(ctx)
    end = _until(until, store.clock())
    key = store.throttle(key_id, per_min=per_min, until=end, actor=person(actor), reason=reason)
    _print_key(store, key, as_json=as_json)


@command.command()
@key_argument
@until_option
@acting
@click.pass_context
def suspend(
    ctx: click.Context, key_id: str, until: str, actor: str, reason: str, as_json: bool
) -> None:
    """Let nothing through for a while."""
    store = _store(ctx)
    end = _until(until, store.clock())
    key = store.suspend(key_id, until=end, actor=person(actor), reason=reason)
    _print_key(store, key, as_json=as_json)


@command.command()
@key_argument
@acting
@click.pass_context
def unthrottle(ctx: click.Context, key_id: str, actor: str, reason: str, as_json: bool) -> None:
    """Lift a throttle."""
    store = _store(ctx)
    _print_key(store, store.unthrottle(key_id, actor=person(actor), reason=reason), as_json=as_json)


@command.command()
@key_argument
@acting
@click.pass_context
def resume(ctx: click.Context, key_id: str, actor: str, reason: str, as_json: bool) -> None:
    """Lift a suspension."""
    store = _store(ctx)
    _print_key(store, store.resume(key_id, actor=person(actor), reason=reason), as_json=as_json)


@command.command()
@key_argument
@acting
@click.pass_context
def revoke(ctx: click.Context, key_id: str, actor: str, reason: str, as_json: bool) -> None:
    """End a key."""
    store = _store(ctx)
    _print_key(store, store.revoke(key_id, actor=person(actor), reason=reason), as_json=as_json)


@command.command()
@key_argument
@click.option("--force", is_flag=True, help="Even though its leak is proven.")
@acting
@click.pass_context
def restore(
    ctx: click.Context, key_id: str, force: bool, actor: str, reason: str, as_json: bool
) -> None:
    """Bring a revoked key back as it was; lift throttle and suspension of any other."""
    store = _store(ctx)
    key = store.restore(key_id, actor=person(actor), reason=reason, force=force)
    _print_key(store, key, as_json=as_json)


def _store(ctx: click.Context, *, create: bool = False) -> "KeyStore":
    from keywatch.keystores import key_store

    configured = settings(ctx)
    return key_store(engine(ctx, create=create), configured.keys)


def _life(expires: str, now: float) -> float | None:
    if expires == "never":
        return 0.0
    # an end that is reached already must not look like "no end"
    return (moment_of(expires, now) - now or -1.0) if expires else None


def _until(until: str, now: float) -> float | None:
    return moment_of(until, now) if until else None


def _print_issued(store: "KeyStore", issued: "Issued", as_json: bool) -> None:
    from keywatch.keystores import key_json

    if as_json:
        print_json(key_json(issued.key, store.clock()) | {"secret": issued.secret})
        return
    click.echo(issued.secret)
    click.echo("This is the only time the key is shown; only its hash is kept.", err=True)
    _print_key(store, issued.key, as_json=False, err=True)


def _print_key(store: "KeyStore", key: "Key", *, as_json: bool, err: bool = False) -> None:
    from keywatch.keystores import key_json, limits

    now = store.clock()
    if as_json:
        print_json(key_json(key, now))
        return
    end = f", expires {rfc3339(key.expires_at)}" if key.expires_at else ""
    over = f", {limits(key, now)}" if limits(key, now) else ""
    click.echo(f"{key.id} is {key.effective_state(now)}{over}{end}", err=err)


def _shown(value: object) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items() if part)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
