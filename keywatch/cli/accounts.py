"""`keywatch accounts`: who keys belong to, and what lies over all keys of an account."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from keywatch.cli import overlays
from keywatch.cli.common import (
    Group,
    json_option,
    limit_option,
    one_more,
    page_of,
    person,
    print_json,
    print_table,
)
from keywatch.cli.granting import acting
from keywatch.cli.living import key_store_of, print_shown
from keywatch.cli.overlays import Subject

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


@click.group(cls=Group)
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

    if all(value is None for value in said.values()):
        raise click.UsageError("nothing is named that is to change")
    store = key_store_of(ctx)
    wanted = Changes(**said)
    account = store.accounts.change(account_id, wanted, actor=person(actor), reason=reason)
    _print(store, account, as_json)


@command.command("list")
@click.option("--organisation", default="", help="Of this organisation only.")
@limit_option
@json_option
@click.pass_context
def list_(ctx: click.Context, organisation: str, limit: int, as_json: bool) -> None:
    """List accounts by their name."""
    from keywatch.holders import account_json, accounts_table

    store = key_store_of(ctx)
    found = page_of(store.accounts.list(organisation, one_more(limit)), limit)
    now = store.clock()
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
    from keywatch.holders import account_json

    store = key_store_of(ctx)
    fields = account_json(store.accounts.get(account_id), store.clock())
    print_shown(store, f"account:{account_id}", fields, as_json)


@command.command()
@account_argument
@click.option("--force", is_flag=True, help="With all its keys: those that work are revoked first.")
@acting
@click.pass_context
def forget(
    ctx: click.Context, account_id: str, force: bool, actor: str, reason: str, as_json: bool
) -> None:
    """Forget an account for good: name, owner, and its organisation if nobody else is in it.

    The audit log keeps its id, who did what to it and when, loses the words, and stays provable.
    """
    from keywatch.forgetting import forget_account

    store = key_store_of(ctx)
    gone = forget_account(store, account_id, actor=person(actor), reason=reason, force=force)
    if as_json:
        said = {"id": account_id, "forgotten": True, "keys_forgotten": gone.keys}
        print_json(said | {"audit_rows_erased": gone.rows})
        return
    theirs = f" and {gone.keys} keys of it are" if gone.keys else " is"
    click.echo(
        f"{account_id}{theirs} forgotten; the words of {gone.rows} rows of the audit log are erased"
    )


def _print(store: "KeyStore", account: "Account", as_json: bool) -> None:
    from keywatch.holders import account_json, over

    now = store.clock()
    if as_json:
        print_json(account_json(account, now))
        return
    plan = f", on plan {account.plan_id}" if account.plan_id else ""
    said = over(account, now)
    click.echo(f"account {account.id}{plan}{f', {said}' if said else ''}")


_ACCOUNT = Subject("ACCOUNT", key_store_of, lambda store: store.accounts, _print)
for verb in (
    overlays.throttle(
        _ACCOUNT, "Let only so many requests a minute of all its keys together through."
    ),
    overlays.plain(_ACCOUNT, "unthrottle", "Lift a throttle."),
    overlays.suspend(_ACCOUNT, "Let nothing of any of its keys through."),
    overlays.plain(_ACCOUNT, "resume", "Lift a suspension."),
):
    command.add_command(verb)
