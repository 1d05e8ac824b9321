"""`keywatch plans`: the limits and budgets that accounts and keys share by name."""

from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import Group, json_option, person, print_json, print_table
from keywatch.cli.granting import acting
from keywatch.cli.living import key_store_of

if TYPE_CHECKING:
    from keystore.plans import Plan

plan_argument = click.argument("plan_id", metavar="PLAN")
_LIMIT: dict[str, Any] = {"multiple": True, "metavar": "LIMIT"}


@click.group(cls=Group)
def command() -> None:
    """Make plans: limits and budgets that accounts and keys share."""


@command.command("set")
@plan_argument
@click.option("--name", default="", help="What people call it.")
@click.option("--key-limit", "key_limits", **_LIMIT, help="Of each key: 600/min, 20/s:5.")
@click.option("--account-limit", "account_limits", **_LIMIT, help="Of an account's keys together.")
@click.option("--plan-limit", "plan_limits", **_LIMIT, help="Of all keys on the plan together.")
@click.option("--tokens-per-min", type=click.IntRange(0), help="Budget of AI tokens of each key.")
@click.option("--tokens-per-day", type=click.IntRange(0), help="In 24 hours.")
@click.option("--tokens-per-month", type=click.IntRange(0), help="In 30 days.")
@acting
@click.pass_context
def set_(
    ctx: click.Context,
    /,
    plan_id: str,
    *,
    actor: str,
    reason: str,
    as_json: bool,
    **said: Any,  # noqa: ANN401  (flags)
) -> None:
    """Make PLAN, or make it so: what is not named it does not have."""
    from keystore.plans import Plan

    store = key_store_of(ctx, create=True)
    plan = store.plans.put(Plan(id=plan_id, **said), actor=person(actor), reason=reason)
    _print([plan], as_json, one=True)


@command.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the plans."""
    _print([*key_store_of(ctx).plans.list()], as_json)


@command.command()
@plan_argument
@json_option
@click.pass_context
def show(ctx: click.Context, plan_id: str, as_json: bool) -> None:
    """Show a plan."""
    _print([key_store_of(ctx).plans.get(plan_id)], as_json, one=True)


@command.command()
@plan_argument
@acting
@click.pass_context
def remove(ctx: click.Context, plan_id: str, actor: str, reason: str, as_json: bool) -> None:
    """Take a plan away that nobody is on."""
    key_store_of(ctx).plans.remove(plan_id, actor=person(actor), reason=reason)
    if as_json:
        print_json({"id": plan_id, "removed": True})
    else:
        click.echo(f"there is no plan {plan_id} any more")


def _print(plans: "list[Plan]", as_json: bool, *, one: bool = False) -> None:
    from keywatch.holders import plan_json, plans_table

    if as_json:
        said = [plan_json(plan) for plan in plans]
        print_json(said[0] if one else said)
    else:
        print_table(*plans_table(plans))
