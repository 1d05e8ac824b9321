"""keywatch policy: what is done about which alert, why, and a test of it."""

from pathlib import Path

import click

from keywatch.cli.common import Group, engine, json_option, print_json, print_table, settings
from vocabulary.errors import ExitCode, UsageError

_FILE = click.Path(path_type=Path)


@click.group("policy", cls=Group)
def command() -> None:
    """See what is done about which alert, and test it."""


@command.command("show")
@click.option("--policy", "file", type=_FILE, help="Another policy than the configured one.")
@click.option("--version", "digest", metavar="DIGEST", help="As an earlier one was written.")
@json_option
@click.pass_context
def show_command(ctx: click.Context, file: Path | None, digest: str | None, as_json: bool) -> None:
    """Show the policy: the first case that fits decides.

    Decisions name the version that made them; its text stands in the audit log.
    """
    from actions.explain import rows
    from actions.policy import load

    if digest is not None:
        text = _version(ctx, digest)
        if as_json:
            print_json({"digest": digest, "text": text})
        else:
            click.echo(text, nl=False)
        return
    policy = load(file or settings(ctx).actions.policy or None)
    shown = list(rows(policy))
    if as_json:
        print_json({"digest": policy.digest, "cases": shown})
        return
    print_table(("LINE", "CASE", "WHEN", "THEN", "TELLS"), (list(row.values()) for row in shown))


@command.command("explain")
@click.argument("alert")
@json_option
@click.pass_context
def explain_command(ctx: click.Context, alert: str, as_json: bool) -> None:
    """Say which line of the policy decided on an ALERT, and what a guard changed."""
    from actions.ledger import show_alert
    from database.transaction import reading

    with reading(engine(ctx, create=False)) as connection:
        row = show_alert(connection, alert)
    decision = row["decision"]
    if as_json:
        print_json({"alert": row["id"], **decision})
        return
    facts = [
        ("alert", row["id"]),
        ("severity", f"{row['severity']} ({row['kind']}, {row['family']})"),
        ("decided by", f"{decision['line']} of policy {decision['policy']}"),
        ("action", decision["action"]),
        ("dry run", "yes" if decision["dry_run"] else "no"),
        ("held", "yes" if decision["held"] else "no"),
        ("guard", decision["guard"] or "none had anything to say"),
        ("told", ", ".join(decision["notify"])),
    ]
    print_table(("", ""), facts)


@command.command("test")
@click.argument("tests", type=_FILE)
@click.option("--policy", "file", type=_FILE, help="Another policy than the configured one.")
@json_option
@click.pass_context
def test_command(ctx: click.Context, tests: Path, file: Path | None, as_json: bool) -> int:
    """Hold the policy against a table of TESTS; exit 1 where it decides otherwise."""
    from msgspec import to_builtins

    from actions.explain import read_tests, tried
    from actions.policy import load

    policy = load(file or settings(ctx).actions.policy or None)
    outcomes = list(tried(read_tests(tests), policy))
    if as_json:
        print_json(to_builtins(outcomes))
    else:
        columns = ("TEST", "ACTION", "LINE", "GUARD", "WRONG")
        print_table(columns, ((o.name, o.action, o.line, o.guard, o.wrong) for o in outcomes))
    return ExitCode.FINDINGS if any(outcome.wrong for outcome in outcomes) else ExitCode.OK


def _version(ctx: click.Context, digest: str) -> str:
    from actions import trail
    from database.transaction import reading

    with reading(engine(ctx, create=False)) as connection:
        text = trail.version(connection, digest)
    if not text:
        raise UsageError(
            f"no policy {digest!r} has decided anything", remedy="see `keywatch policy explain`"
        )
    return text
