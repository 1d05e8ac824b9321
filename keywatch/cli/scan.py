"""`keywatch scan`: find secrets in a repository, a directory, a file or stdin."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from keywatch.cli.common import settings
from vocabulary.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywatch.config import Settings
    from scanner.options import ScanOptions
    from scanner.run import Report
    from vocabulary.alert import Alert
    from vocabulary.credential import Lookup

_CONFIDENCES = click.Choice(["low", "medium", "high"])


class _Format(click.ParamType):
    """The name of a report format; the formats are asked for only when one is named or shown."""

    name = "format"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from scanner import reports

        if value not in reports.names():
            self.fail(f"there is no format `{value}`: {', '.join(reports.names())}", param, ctx)
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        del param, ctx
        from scanner import reports

        return f"[{'|'.join(reports.names())}]"


@click.command()
@click.argument("target", default=".")
@click.option("--tree", is_flag=True, help="Only the files of the working tree.")
@click.option("--staged", is_flag=True, help="Only what the index adds to HEAD.")
@click.option("--since", metavar="REF", default="", help="Only what REF does not reach.")
@click.option("--branch", metavar="NAME", default="", help="Only what NAME reaches.")
@click.option("--ignored", is_flag=True, help="Files that git ignores as well.")
@click.option("--format", "report_format", type=_Format(), default="table", help="Of the report.")
@click.option("--output", metavar="FILE", default="-", help="Write the report there.")
@click.option("--receipt", "receipt_file", metavar="FILE", help="Write what was scanned, as JSON.")
@click.option("--confidence", type=_CONFIDENCES, help="Show findings from this confidence on.")
@click.option("--no-inline-ignores", is_flag=True, help="Marks in the text hide nothing.")
@click.option("--allow-shallow", is_flag=True, help="A shallow clone is no reason for exit 3.")
@click.option("--no-cache", is_flag=True, help="Compile the rules anew; leave nothing behind.")
@click.option("--show-secrets", is_flag=True, help="Leave secrets readable; on a terminal alone.")
@click.option("--act", is_flag=True, help="Let the policy act on keys of the key store.")
@click.pass_context
def command(ctx: click.Context, /, target: str, **flags: Any) -> int:  # noqa: ANN401
    """Find secrets in TARGET: a git repository, a directory, a file, or - for stdin.

    Of a repository every object is scanned, reachable or not, and the uncommitted work. Exit code
    0 is clean, 1 findings, 2 wrong usage, 3 something was not scanned; 3 beats 1.
    """
    from keywatch.cli.progress import counter
    from scanner import reports
    from scanner.run import scan

    config = settings(ctx)
    options = _options(config, flags)
    with ExitStack() as stack:
        # Both are opened first: a long scan must not end in a report that cannot be written.
        out = stack.enter_context(click.open_file(flags["output"], "w"))
        receipt = flags["receipt_file"]
        kept = stack.enter_context(click.open_file(receipt, "w")) if receipt else None
        with counter("scanning") as progress:
            report = scan(target, options, _lookup(config), progress)
        if flags["act"]:
            _act(config, report)
        reports.find(flags["report_format"])(report, cast("TextIO", out))
        if kept:
            _write_receipt(report, kept)
    for line in report.receipt.text():
        click.echo(f"keywatch: {line}", err=True)
    return report.receipt.exit_code


def _options(config: "Settings", flags: dict[str, Any]) -> "ScanOptions":
    import sys
    from dataclasses import replace

    from keywatch import wiring
    from vocabulary.finding import Confidence

    if flags["show_secrets"] and not (flags["output"] == "-" and sys.stdout.isatty()):
        raise UsageError("--show-secrets needs a terminal", remedy="secrets go to no file or pipe")
    return replace(
        wiring.scan_options(config),
        confidence=Confidence(flags["confidence"] or config.scan.confidence),
        tree=flags["tree"],
        staged=flags["staged"],
        since=flags["since"],
        branch=flags["branch"],
        ignored=flags["ignored"],
        inline_ignores=not flags["no_inline_ignores"],
        allow_shallow=flags["allow_shallow"],
        show_secrets=flags["show_secrets"],
        cache=not flags["no_cache"],
    )


def _lookup(config: "Settings") -> "Lookup | None":
    """Return how to ask the key store, where there is one; none is made for a scan."""
    from keywatch.wiring import has_database

    if not has_database(config):
        return None

    def ask(credentials: "Sequence[Any]") -> "Sequence[Any]":
        # Only a scan that found something pays for the database.
        from database.transaction import open_database
        from keywatch.keystores import key_store

        engine = open_database(config.database, create=False)
        try:
            return key_store(engine, config.keys).find(credentials)
        finally:
            engine.dispose()

    return ask


def _act(config: "Settings", report: "Report") -> None:
    """Answer the findings by the policy, and carry out what is enabled."""
    import time

    from database.transaction import open_database
    from keywatch import leaks, wiring
    from keywatch.keybook import KeyBook

    engine = open_database(config.database, create=False)
    book = KeyBook(engine, config.keys)
    policy, enabled = wiring.policy(config), wiring.enabled(config)
    respond = wiring.responder(policy, enabled, book.known_key, lambda _: time.time())
    alerts = leaks.answer(engine, report.findings, book.known_key, respond, time.time())
    wiring.executor(config, engine).run_once()
    for alert in alerts:
        if alert.action != "none":
            _tell(alert)


def _tell(alert: "Alert") -> None:
    done = "would be done, see [actions] enabled" if alert.dry_run else "decided"
    click.echo(f"keywatch: {alert.key}: {alert.action} {done}", err=True)


def _write_receipt(report: "Report", out: Any) -> None:  # noqa: ANN401
    import json

    json.dump(report.receipt.json(), out, indent=2)
    out.write("\n")
