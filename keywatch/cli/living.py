"""What every identity goes through, keys and others: one command a verb."""

from typing import TYPE_CHECKING, Any

import click

from keywatch.cli import overlays
from keywatch.cli.common import as_document, engine, person, print_json, print_table, settings
from keywatch.cli.granting import acting
from keywatch.cli.outputs import show_once
from keywatch.cli.overlays import Subject
from vocabulary.moments import moment_of, rfc3339, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from keystore.issue import Issued
    from keystore.keys import Key
    from keystore.store import KeyStore

key_argument = click.argument("key_id", metavar="KEY")


@click.command()
@key_argument
@click.option("--force", is_flag=True, help="Although it may still be used: it is revoked first.")
@acting
@click.pass_context
def forget(
    ctx: click.Context, key_id: str, force: bool, actor: str, reason: str, as_json: bool
) -> None:
    """Forget a key for good: owner, name, uses, profile, alerts, leaks. There is no way back.

    The audit log keeps who did what to it and when, loses the words, and stays provable. Of a key
    whose leak is proven the secret stays refused.
    """
    from keywatch.forgetting import forget as forget_key

    store = key_store_of(ctx)
    rows = forget_key(store, key_id, actor=person(actor), reason=reason, force=force)
    if as_json:
        print_json({"id": key_id, "forgotten": True, "audit_rows_erased": rows})
    else:
        click.echo(f"{key_id} is forgotten; the words of {rows} rows of the audit log are erased")


@click.command()
@key_argument
@click.option("--force", is_flag=True, help="Even though its leak is proven.")
@acting
@click.pass_context
def restore(
    ctx: click.Context, key_id: str, force: bool, actor: str, reason: str, as_json: bool
) -> None:
    """Bring a revoked key back as it was; lift throttle and suspension of any other."""
    store = key_store_of(ctx)
    key = store.restore(key_id, actor=person(actor), reason=reason, force=force)
    print_key(store, key, as_json)


@click.command()
@key_argument
@click.option("--grace", required=True, metavar="DURATION", help="How long it goes on.")
@acting
@click.pass_context
def deprecate(
    ctx: click.Context, key_id: str, grace: str, actor: str, reason: str, as_json: bool
) -> None:
    """Let a key work for a grace only, without making the next one."""
    store = key_store_of(ctx)
    grace_s = seconds_of(grace)
    key = store.deprecate(key_id, grace_s=grace_s, actor=person(actor), reason=reason)
    print_key(store, key, as_json)


def key_store_of(ctx: click.Context, *, create: bool = False) -> "KeyStore":
    """Open the configured key store until the command ends."""
    from keywatch.keystores import key_store

    configured = settings(ctx)
    return key_store(engine(ctx, create=create), configured.keys)


def life_of(expires: str, now: float) -> float | None:
    """Return the seconds that --expires means: 0 for never, None when it was not said."""
    if expires == "never":
        return 0.0
    # an end that is reached already must not look like "no end"
    return (moment_of(expires, now) - now or -1.0) if expires else None


UNSEEN = "its secret could not be shown"
"""Why a key that was just made is ended again."""


def revoking(store: "KeyStore", key_id: str, actor: str) -> "Callable[[], str]":
    """Return what ends a key that was just made, and says so."""

    def take_back() -> str:
        store.revoke(key_id, actor=actor, reason=UNSEEN)
        return f"{key_id} is revoked again; make another"

    return take_back


def print_issued(
    store: "KeyStore", issued: "Issued", as_json: bool, take_back: "Callable[[], str]"
) -> None:
    """Print a new secret, this once, and whose it is; see `outputs.show_once`."""
    from keywatch.keystores import key_json

    if as_json:
        document = key_json(issued.key, store.clock()) | {"secret": issued.secret}
        show_once(as_document(document), take_back)
        return
    show_once(issued.secret, take_back)
    click.echo("This is the only time the key is shown; only its hash is kept.", err=True)
    print_key(store, issued.key, as_json=False, err=True)


def print_key(store: "KeyStore", key: "Key", as_json: bool, *, err: bool = False) -> None:
    """Print how a key stands."""
    from keywatch.keystores import key_json, limits

    now = store.clock()
    if as_json:
        print_json(key_json(key, now))
        return
    end = f", expires {rfc3339(key.expires_at)}" if key.expires_at else ""
    over = f", {limits(key, now)}" if limits(key, now) else ""
    click.echo(f"{key.id} is {key.effective_state(now)}{over}{end}", err=err)


def print_shown(store: "KeyStore", subject: str, fields: dict[str, Any], as_json: bool) -> None:
    """Print what is known of a key or an account, and what was done to it by the audit log."""
    from database.transaction import reading
    from keystore.audit import rows_of

    with reading(store.engine) as connection:
        history = rows_of(connection, subject)
    acts = [(rfc3339(row.at), row.actor, row.verb, row.reason) for row in history]
    if as_json:
        names = ("at", "actor", "verb", "reason")
        print_json(fields | {"history": [dict(zip(names, act, strict=True)) for act in acts]})
        return
    print_table(("field", "value"), [(name, shown(value)) for name, value in fields.items()])
    click.echo()
    print_table(("at", "who", "did", "why"), acts)


def shown(value: object) -> str:
    """Return a value of a JSON contract as a person reads it."""
    if value is None or value == []:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(part)}" for name, part in value.items() if part)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


_KEY = Subject("KEY", key_store_of, lambda store: store, print_key)
VERBS = (
    overlays.throttle(_KEY, "Let only so many requests a minute through."),
    overlays.plain(_KEY, "unthrottle", "Lift a throttle."),
    overlays.suspend(_KEY, "Let nothing through for a while."),
    overlays.plain(_KEY, "resume", "Lift a suspension."),
    deprecate,
    overlays.plain(_KEY, "undeprecate", "Let a deprecated key work on."),
    overlays.plain(_KEY, "revoke", "End a key."),
    restore,
    forget,
)
