"""`keywatch keys`: issue keys, look at them, and change what they may do."""

from pathlib import Path
from typing import Any

import click

from keywatch.cli import importing
from keywatch.cli.common import (
    Did,
    Group,
    engine,
    json_option,
    limit_option,
    one_more,
    page_of,
    person,
    print_json,
    print_table,
    printable,
    settings,
    telling,
)
from keywatch.cli.granting import CLEARED, acting, granting
from keywatch.cli.living import (
    UNSEEN,
    VERBS,
    key_argument,
    key_store_of,
    life_of,
    print_issued,
    print_key,
    print_shown,
    revoking,
)
from vocabulary.moments import moment_of, seconds_of

expires_option = click.option(
    "--expires", default="", metavar="WHEN", help="Such as 30d, an RFC 3339 time, or never."
)


@click.group(cls=Group)
def command() -> None:
    """Issue keys, look at them, throttle, rotate, revoke and restore them."""


@command.command()
@granting
@click.option("--environment", default="", help="Such as live or test. Default: the first one.")
@click.option("--publishable", is_flag=True, help="A key that may stand in public code.")
@expires_option
@acting
@click.pass_context
def create(
    ctx: click.Context,
    *,
    granted: dict[str, Any],
    environment: str,
    publishable: bool,
    expires: str,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Make a key and show it, this once."""
    from keystore.issue import KeyOrder

    store = key_store_of(ctx, create=True)
    life_s = life_of(expires, store.clock())
    order = KeyOrder(environment=environment, publishable=publishable, life_s=life_s, **granted)
    issued = store.create(order, actor=person(actor), reason=reason)
    print_issued(store, issued, as_json, revoking(store, issued.key.id, person(actor)))


@command.command()
@key_argument
@granting
@expires_option
@click.option(
    "--clear",
    "cleared",
    multiple=True,
    type=click.Choice([*CLEARED, "declared"]),
    help="What it is to have no more; may be repeated.",
)
@acting
@click.pass_context
def change(
    ctx: click.Context,
    *,
    key_id: str,
    granted: dict[str, Any],
    expires: str,
    cleared: tuple[str, ...],
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Change what a key may do, who it belongs to and when it ends.

    What is named takes the place of what was there: all scopes, all networks.
    """
    from keystore.alter import Changes
    from keystore.keys import Declared

    store = key_store_of(ctx)
    empty: dict[str, Any] = dict(CLEARED[word] for word in cleared if word != "declared")
    empty |= {"declared": Declared()} if "declared" in cleared else {}
    if both := empty.keys() & granted.keys():
        raise click.UsageError(f"{', '.join(sorted(both))}: given and cleared at once")
    if expires:
        granted["expires_at"] = None if expires == "never" else moment_of(expires, store.clock())
    if not granted and not empty:
        raise click.UsageError("nothing is named that is to change")
    wanted = Changes(**granted, **empty)
    key = store.change(key_id, wanted, actor=person(actor), reason=reason)
    print_key(store, key, as_json)


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
@click.option("--plan", default="", help="On this plan of its own only.")
@click.option("--ending", default="", metavar="DURATION", help="That end within it: 14d.")
@limit_option
@json_option
@click.pass_context
def list_(
    ctx: click.Context,
    *,
    owner: str,
    account: str,
    environment: str,
    state: str,
    plan: str,
    ending: str,
    limit: int,
    as_json: bool,
) -> None:
    """List keys, the newest first."""
    from keystore.query import Filter
    from keywatch.keystores import key_json, table

    store = key_store_of(ctx)
    before = store.clock() + seconds_of(ending) if ending else None
    wanted = Filter(
        owner, account, environment, state, kind="key", plan_id=plan, ends_before=before
    )
    found = page_of(store.list(wanted, one_more(limit)), limit, "newest")
    now = store.clock()
    if as_json:
        print_json([key_json(key, now) for key in found])
    else:
        print_table(*table(found, now))


@command.command()
@key_argument
@json_option
@click.pass_context
def show(ctx: click.Context, key_id: str, as_json: bool) -> None:
    """Show a key and what was done to it."""
    from keywatch.keystores import key_json

    store = key_store_of(ctx)
    print_shown(store, key_id, key_json(store.get(key_id), store.clock()), as_json)


@command.command()
@key_argument
@click.option("--html", "html_file", metavar="FILE", help="Write it as a page.")
@json_option
@click.pass_context
def profile(ctx: click.Context, key_id: str, html_file: str | None, as_json: bool) -> None:
    """Show what the detectors know of a KEY: its hours, rates and networks, and how well."""
    from keywatch import portrait, wiring

    told = portrait.read(engine(ctx, create=False), key_id, wiring.geo(settings(ctx).geoip))
    if html_file:
        with click.open_file(html_file, "w", encoding="utf-8") as out:
            out.writelines(portrait.page(told))
    if as_json:
        print_json(told)
    elif not html_file:
        for line in portrait.text(told):
            click.echo(printable(line))


@command.command()
@key_argument
@click.argument(
    "logs", nargs=-1, required=True, metavar="LOG...", type=click.Path(exists=True, dir_okay=False)
)
@click.option("--format", "log_format", required=True, metavar="NAME", help="Format of the logs.")
@click.pass_context
@telling
def rebuild(ctx: click.Context, key_id: str, logs: tuple[str, ...], log_format: str) -> Did:
    """Put together from LOGs what the detectors know of a KEY, in place of what they know now.

    For a profile that was damaged, or learned from what should not have been. The logs are read in
    the order given; `keywatch watch` takes the profile up with the key's next request.
    """
    from keywatch import wiring
    from keywatch.cli.progress import progress, size_of
    from keywatch.history import batches, reading
    from keywatch.keybook import KeyBook
    from keywatch.rebuilding import rebuild

    config, database, files = settings(ctx), engine(ctx, create=False), [Path(log) for log in logs]
    book = KeyBook(database, config.keys, config.watch.sensitivity)
    book.look_up([key_id])
    with (
        reading(config, log_format) as how,
        progress("rebuilding", sum(size_of(file) for file in files)) as advance,
    ):
        told_of = lambda said: click.echo(f"keywatch: {printable(said)}", err=True)  # noqa: E731
        history = batches(files, how, told_of, advance)
        facts = book.facts([key_id])
        late_s, geo = how.format.lateness_s, wiring.geo(config.geoip)
        events = rebuild(database, key_id, history, facts, geo, late_s)
    told = {"key": key_id, "events": events}
    return Did(told, f"{events} requests of {key_id}: taken up with its next one")


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
    store = key_store_of(ctx)
    before = store.get(key_id)
    issued = store.rotate(key_id, actor=person(actor), reason=reason, grace_s=grace_s)

    def take_back() -> str:
        key = store.unrotate(before, actor=person(actor), reason=UNSEEN)
        state = key.effective_state(store.clock())
        return f"{issued.key.id} is revoked again, and {key_id} is {state}; rotate it once more"

    print_issued(store, issued, as_json, take_back)
    print_key(store, store.get(key_id), as_json=False, err=True)


@command.command()
@key_argument
@click.option(
    "--since", default="24h", show_default=True, metavar="DURATION", help="How far back to look."
)
@json_option
@click.pass_context
def usage(ctx: click.Context, key_id: str, since: str, as_json: bool) -> None:
    """Show how a key was used: per hour, method, status class and network."""
    from database.transaction import reading
    from keystore.usage import of_key
    from keywatch.keystores import usage_table, use_json

    store = key_store_of(ctx)
    store.get(key_id)  # a typing error must not look like a key that nobody uses
    with reading(store.engine) as connection:
        uses = of_key(connection, key_id, store.clock() - seconds_of(since))
    if as_json:
        print_json([use_json(use) for use in uses])
    else:
        print_table(*usage_table(uses))


@command.command("close-graces")
@click.option("--idle", default="7d", show_default=True, help="How long without traffic.")
@click.option("--dry-run", is_flag=True, help="Only say which they are.")
@json_option
@click.pass_context
def close_graces(ctx: click.Context, idle: str, dry_run: bool, as_json: bool) -> None:
    """Revoke rotated keys that nobody uses any more; `watch` does so by itself.

    Only where uses were counted for so long without a gap.
    """
    from database.transaction import reading, transaction
    from keystore import graces
    from keywatch.keystores import key_json, table

    store = key_store_of(ctx)
    now, idle_s = store.clock(), seconds_of(idle)
    if dry_run:
        with reading(store.engine) as connection:
            found = graces.idle(connection, idle_s)
    else:
        with transaction(store.engine) as connection:
            found = graces.close(connection, idle_s, actor=person(), now=now)
    if as_json:
        print_json([key_json(key, now) for key in found])
    elif found:
        print_table(*table(found, now))
    else:
        click.echo("no grace ends early")


for verb in (*VERBS, importing.command):
    command.add_command(verb)
