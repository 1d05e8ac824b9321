"""keywatch tokens: what programs show to the API."""

import time

import click

from keywatch.cli.common import (
    Did,
    Group,
    as_document,
    engine,
    json_option,
    person,
    print_json,
    print_table,
    telling,
)
from keywatch.cli.outputs import show_once


@click.group("tokens", cls=Group)
def command() -> None:
    """Make and end tokens for the API."""


@command.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "words",
    multiple=True,
    required=True,
    help="read, write, or one such as keys:read or people:write; may be repeated.",
)
@click.option(
    "--expires", default="90d", show_default=True, metavar="DURATION", help="Its life, or never."
)
@click.option(
    "--user",
    "owner",
    metavar="USER",
    help="Whose programs show it: it may no more than they, ends with their account, and "
    "approvals by it are theirs.",
)
@json_option
@click.pass_context
def create_command(
    ctx: click.Context,
    name: str,
    words: tuple[str, ...],
    expires: str,
    owner: str | None,
    as_json: bool,
) -> None:
    """Make a token; NAME says what it is for, and stands in the audit log."""
    from database.transaction import transaction
    from keywatch.people import tokens
    from keywatch.people.roles import scopes_of
    from keywatch.people.users import checked_name
    from vocabulary.moments import seconds_of

    checked_name(name)
    life_s = None if expires == "never" else seconds_of(expires)
    opened = engine(ctx)
    with transaction(opened) as connection:
        token, secret = tokens.create(
            connection,
            name,
            scopes_of(words),
            owner=owner,
            life_s=life_s,
            actor=person(),
            now=time.time(),
        )

    def take_back() -> str:
        with transaction(opened) as connection:
            tokens.revoke(connection, token.id, actor=person(), now=time.time())
        return f"{token.id} is revoked again; make another"

    if as_json:
        show_once(as_document(_shown(token) | {"token": secret}), take_back)
        return
    show_once(secret, take_back)
    click.echo("This is the only time the token is shown; only its hash is kept.", err=True)
    click.echo(f"{token.id}: {', '.join(token.scopes)}", err=True)


@command.command("list")
@json_option
@click.pass_context
def list_command(ctx: click.Context, as_json: bool) -> None:
    """List every token that ever was."""
    from database.transaction import reading
    from keywatch.people import tokens

    with reading(engine(ctx, create=False)) as connection:
        rows = [_shown(token) for token in tokens.listed(connection)]
    if as_json:
        print_json(rows)
        return
    columns = ("TOKEN", "NAME", "OF", "STATE", "SCOPES", "EXPIRES", "LAST USED", "MADE BY")
    names = ("id", "name", "owner", "state", "scopes", "expires_at", "last_used_at", "made_by")
    print_table(
        columns,
        ([", ".join(v) if isinstance(v := row[n], list) else v for n in names] for row in rows),
    )


@command.command("revoke")
@click.argument("token")
@click.pass_context
@telling
def revoke_command(ctx: click.Context, token: str) -> Did:
    """End a TOKEN, by its id."""
    from database.transaction import transaction
    from keywatch.people import tokens

    with transaction(engine(ctx, create=False)) as connection:
        tokens.revoke(connection, token, actor=person(), now=time.time())
    return Did({"id": token, "state": "revoked"}, f"{token} is revoked")


def _shown(token: object) -> dict[str, object]:
    from keywatch.people.tokens import Token
    from vocabulary.moments import rfc3339

    assert isinstance(token, Token)
    ended = token.expires_at is not None and token.expires_at <= time.time()
    times = {
        name: rfc3339(at) if (at := getattr(token, name)) else None
        for name in ("created_at", "expires_at", "last_used_at")
    }
    state = "revoked" if token.revoked_at else "expired" if ended else "active"
    return {
        "id": token.id,
        "name": token.name,
        "owner": token.owner,
        "state": state,
        "scopes": list(token.scopes),
        "made_by": token.made_by,
        **times,
    }
