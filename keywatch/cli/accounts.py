"""`keywatch accounts`: who keys belong to, and what lies over all keys of an account."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import json_option, person, print_json, print_table
from keywatch.cli.granting import acting, until_of, until_option
from keywatch.cli.living import key_store_of

if TYPE_CHECKING:
    from keystore.accounts import Account
    from keystore.store import KeyStore

account_argument = click.argument("account_id", metavar="ACCOUNT")


def _belonging(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of what an account has; "" takes it away."""
    for option in (
        click.option("--plan", help="Of its keys that have no plan of their own."),
        click.option("--organisation", help="The organisation it is part of."),
        click.option("--owner", help="Who is told when something happens to it."),
        click.option("--name", help="What people call it."),
    ):
        verb = option(verb)
    return verb


@click.group()
def command() -> None:
    """Make accounts, put them on plans, throttle and suspend all their keys at once."""


@command.command()
@account_argument
@_belonging
@acting
@click.pass_context
def create(
    ctx: click.Context,
    /,
    account_id: str,
    *,
    actor: str,
    reason: str,
    as_json: bool,
    **said: Any,  # noqa: ANN401  (flags)
) -> None:
    """Make an account."""
    from keystore.accounts import Changes

    store = key_store_of(ctx, create=True)
    wanted = Changes(**said)
    account = store.accounts.create(account_id, wanted, actor=person(actor), reason=reason)
    _print(store, account, as_json)


@command.command()
@account_argument
@_belonging
@acting
@click.pass_context
def change(
    ctx: click.Context,
    /,
    account_id: str,
    *,
    actor: str,
    reason: str,
    as_json: bool,
    **said: Any,  # noqa: ANN401  (flags)
) -> None:
    """Give an account another name, owner, organisation or plan; "" takes it away."""
    from keystore.accounts import Changes

    store = key_store_of(ctx)
    wanted = Changes(**said)
    account = store.accounts.change(account_id, wanted, actor=person(actor), reason=reason)
    _print(store, account, as_json)


@command.command("list")
@click.option("--organisation", default="", help="Of this organisation only.")
@click.option(
    "--limit", default=100, type=click.IntRange(0), show_default=True, help="0 for all of them."
)
@json_option
@click.pass_context
def list_(ctx: click.Context, organisation: str, limit: int, as_json: bool) -> None:
    """List accounts by their name."""
    from keywatch.holders import account_json, accounts_table

    store = key_store_of(ctx)
    found, now = store.accounts.list(organisation, limit or None), store.clock()
    if as_json:
        print_json([account_json(account, now) | {"keys": count} for count, account in found])
    else:
        print_table(*accounts_table(found, now))


@command.command()
@json_option
@click.pass_context
def organisations(ctx: click.Context, as_json: bool) -> None:
    """List organisations, with the number of their accounts."""
    from vocabulary.moments import rfc3339

    found = key_store_of(ctx).accounts.organisations()
    if as_json:
        names = ("id", "name", "accounts", "created_at")
        rows = ((each.id, each.name, count, rfc3339(each.created_at)) for count, each in found)
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        print_table(("organisation", "accounts"), [(each.id, count) for count, each in found])


@command.command()
@account_argument
@json_option
@click.pass_context
def show(ctx: click.Context, account_id: str, as_json: bool) -> None:
    """Show an account and what was done to it."""
    from database.transaction import reading
    from keystore.audit import rows_of
    from keywatch.holders import account_json
    from vocabulary.moments import rfc3339

    store = key_store_of(ctx)
    fields = account_json(store.accounts.get(account_id), store.clock())
    with reading(store.engine) as connection:
        history = rows_of(connection, f"account:{account_id}")
    acts = [(rfc3339(row.at), row.actor, row.verb, row.reason) for row in history]
    if as_json:
        names = ("at", "actor", "verb", "reason")
        print_json(fields | {"history": [dict(zip(names, act, strict=True)) for act in acts]})
        return
    print_table(("field", "value"), list(fields.items()))
    click.echo()
    print_table(("at", "who", "did", "why"), acts)


@command.command()
@account_argument
@click.option("--per-min", required=True, type=click.IntRange(1), help="Requests a minute.")
@until_option
@acting
@click.pass_context
def throttle(
    ctx: click.Context,
    account_id: str,
    per_min: int,
    until: str,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Let only so many requests a minute of all its keys together through."""
    store = key_store_of(ctx)
    end, who = until_of(until, store.clock()), person(actor)
    account = store.accounts.throttle(
        account_id, per_min=per_min, until=end, actor=who, reason=reason
    )
    _print(store, account, as_json)


@command.command()
@account_argument
@acting
@click.pass_context
def unthrottle(ctx: click.Context, account_id: str, actor: str, reason: str, as_json: bool) -> None:
    """Lift a throttle."""
    store = key_store_of(ctx)
    account = store.accounts.unthrottle(account_id, actor=person(actor), reason=reason)
    _print(store, account, as_json)


@command.command()
@account_argument
@until_option
@acting
@click.pass_context
def suspend(
    ctx: click.Context, account_id: str, until: str, actor: str, reason: str, as_json: bool
) -> None:
    """Let nothing of any of its keys through."""
    store = key_store_of(ctx)
    end = until_of(until, store.clock())
    account = store.accounts.suspend(account_id, until=end, actor=person(actor), reason=reason)
    _print(store, account, as_json)


@command.command()
@account_argument
@acting
@click.pass_context
def resume(ctx: click.Context, account_id: str, actor: str, reason: str, as_json: bool) -> None:
    """Lift a suspension."""
    store = key_store_of(ctx)
    account = store.accounts.resume(account_id, actor=person(actor), reason=reason)
    _print(store, account, as_json)


def _print(store: "KeyStore", account: "Account", as_json: bool) -> None:
    from keywatch.holders import account_json, over

    now = store.clock()
    if as_json:
        print_json(account_json(account, now))
        return
    plan = f", on plan {account.plan_id}" if account.plan_id else ""
    said = over(account, now)
    click.echo(f"account {account.id}{plan}{f', {said}' if said else ''}")
