"""keywatch users: accounts of the people who use the console."""

import sys
import time

import click

from keywatch.cli.common import (
    Did,
    Group,
    engine,
    json_option,
    person,
    print_json,
    print_table,
    telling,
)

_ROLE = click.Choice(["viewer", "operator", "admin"])
_stdin_option = click.option(
    "--stdin", "from_stdin", is_flag=True, help="Read the password from standard input."
)


@click.group("users", cls=Group)
def command() -> None:
    """Look after the people who use the console."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What they may do.")
@_stdin_option
@click.pass_context
@telling
def add_command(ctx: click.Context, name: str, role: str, from_stdin: bool) -> Did:
    """Let somebody called NAME in.

    A viewer looks, an operator also acts and reads the audit log, an admin also looks after
    people and may force. Asks for the password; where nobody can be asked, one is made and printed.
    """
    from database.transaction import transaction
    from keywatch.people import passwords, users

    users.checked_name(name)
    opened = engine(ctx)
    password, made = _password(name, from_stdin)
    known = passwords.hashed(password)
    with transaction(opened) as connection:
        user = users.add(connection, name, role, known, actor=person(), now=time.time())
    told = {"name": user.name, "role": user.role}
    if not made:
        return Did(told, f"{user.name} is {_an(user.role)}")
    click.echo(f"{user.name} is {_an(user.role)}; the only time its password is shown:", err=True)
    return Did(told | {"password": password}, password, unseen=_unseen(name))


@command.command("list")
@json_option
@click.pass_context
def list_command(ctx: click.Context, as_json: bool) -> None:
    """List everybody."""
    from database.transaction import reading
    from keywatch.people import users
    from vocabulary.moments import rfc3339

    with reading(engine(ctx, create=False)) as connection:
        rows = [
            {
                "name": user.name,
                "role": user.role,
                "origin": user.origin,
                "disabled": user.disabled,
                "created_at": rfc3339(user.created_at),
                "last_login_at": rfc3339(user.last_login_at) if user.last_login_at else None,
            }
            for user in users.listed(connection)
        ]
    if as_json:
        print_json(rows)
        return
    columns = ("NAME", "ROLE", "FROM", "STATE", "LAST LOGIN")
    print_table(
        columns,
        (
            (
                row["name"],
                row["role"],
                row["origin"] or "here",
                "disabled" if row["disabled"] else "",
                row["last_login_at"],
            )
            for row in rows
        ),
    )


@command.command("passwd")
@click.argument("name")
@_stdin_option
@click.pass_context
@telling
def passwd_command(ctx: click.Context, name: str, from_stdin: bool) -> Did:
    """Give NAME another password; whoever is logged in under it is logged out."""
    from database.transaction import reading, transaction
    from keywatch.people import passwords, users

    opened = engine(ctx, create=False)
    with reading(opened) as connection:
        users.get(connection, name)
    password, made = _password(name, from_stdin)
    known = passwords.hashed(password)
    with transaction(opened) as connection:
        users.set_password(connection, name, known, actor=person(), now=time.time())
    if not made:
        return Did({"name": name})
    return Did({"name": name, "password": password}, password, unseen=_unseen(name))


@command.command("role")
@click.argument("name")
@click.argument("role", type=_ROLE)
@click.pass_context
@telling
def role_command(ctx: click.Context, name: str, role: str) -> Did:
    """Give NAME another ROLE."""
    from database.transaction import transaction
    from keywatch.people import users

    with transaction(engine(ctx, create=False)) as connection:
        users.set_role(connection, name, role, actor=person(), now=time.time())
    return Did({"name": name, "role": role}, f"{name} is {_an(role)}")


@command.command("disable")
@click.argument("name")
@click.pass_context
@telling
def disable_command(ctx: click.Context, name: str) -> Did:
    """Let nobody in as NAME any more; what they did stays in the audit log."""
    from database.transaction import transaction
    from keywatch.people import users

    with transaction(engine(ctx, create=False)) as connection:
        users.disable(connection, name, actor=person(), now=time.time())
    return Did({"name": name, "disabled": True}, f"{name} is disabled")


@command.command("enable")
@click.argument("name")
@click.pass_context
@telling
def enable_command(ctx: click.Context, name: str) -> Did:
    """Let NAME in again."""
    from database.transaction import transaction
    from keywatch.people import users

    with transaction(engine(ctx, create=False)) as connection:
        users.enable(connection, name, actor=person(), now=time.time())
    return Did({"name": name, "disabled": False}, f"{name} is enabled")


def _password(name: str, from_stdin: bool) -> tuple[str, bool]:
    """Return a password, and whether it was made up here."""
    from keywatch.people import passwords

    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        return passwords.generated(), True
    passwords.check(password, name)
    return password, False


def _unseen(name: str) -> str:
    return f"{name} has a password that nobody knows: keywatch users passwd {name}"


def _an(role: str) -> str:
    return f"{'an' if role[0] in 'ao' else 'a'} {role}"
