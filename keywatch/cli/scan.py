"""`keywatch scan`: find secrets in a repository, a directory, a file or stdin."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TextIO

import click

from keywatch.cli.outputs import opened
from vocabulary.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keywatch.config import Settings
    from scanner.options import ScanOptions
    from scanner.run import Report
    from scanner.verify import Verifier
    from vocabulary.alert import Alert

_CONFIDENCES = click.Choice(["low", "medium", "high"])


class _Format(click.ParamType):  # type: ignore[type-arg]  # (generic from 8.4 on)
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
@click.option("--gitignore", is_flag=True, help="Of a plain directory, not what .gitignore names.")
@click.option("--diff/--no-diff", default=None, help="Stdin is a diff, or none; else by its look.")
@click.option("--no-submodules", is_flag=True, help="Leave submodules to scans of their own.")
@click.option("--format", "report_format", type=_Format(), default="table", help="Of the report.")
@click.option("--output", metavar="FILE", default="-", help="Write the report there.")
@click.option(
    "--report", "more", multiple=True, metavar="FORMAT=FILE", help="A further report; repeatable."
)
@click.option("--receipt", "receipt_file", metavar="FILE", help="Write what was scanned, as JSON.")
@click.option("--confidence", type=_CONFIDENCES, help="Show findings from this confidence on.")
@click.option("--baseline", metavar="FILE", help="Show only what this earlier report has not.")
@click.option("--write-baseline", metavar="FILE", help="Write what was found, for --baseline.")
@click.option("--ignore-file", metavar="FILE", help="Instead of the configured one.")
@click.option("--no-inline-ignores", is_flag=True, help="Marks in the text hide nothing.")
@click.option("--allow-shallow", is_flag=True, help="A shallow clone is no reason for exit 3.")
@click.option(
    "--no-cache", is_flag=True, help="Read all, whatever earlier scans read; leave nothing behind."
)
@click.option("--show-secrets", is_flag=True, help="Leave secrets readable; on a terminal alone.")
@click.option("--verify", is_flag=True, help="Ask providers whether they accept what was found.")
@click.option("--act", is_flag=True, help="Let the policy act on keys of the key store.")
@click.pass_context
def command(ctx: click.Context, /, target: str, **flags: Any) -> int:  # noqa: ANN401
    """Find secrets in TARGET: a git repository or its URL, a directory, a file, or - for stdin.

    Of a repository every object is scanned, reachable or not, and the uncommitted work. That of a
    URL is copied into the cache first; from then on only what is new there is fetched. Exit code 0
    is clean, 1 findings, 2 wrong usage, 3 something was not scanned; 3 beats 1.
    """
    from keywatch import scanning
    from keywatch.cli.progress import counter

    root = ctx.find_root().obj
    config, notes = scanning.settings_for(root["config_file"], root["flags"], target)
    options = _options(config, flags)
    with ExitStack() as stack:
        # All are opened first: a long scan must not end in a report that cannot be written.
        outputs = [(name, stack.enter_context(opened(file))) for name, file in _reports(flags)]
        receipt = flags["receipt_file"]
        kept = stack.enter_context(opened(receipt)) if receipt else None
        with counter("scanning") as progress:
            lookup = scanning.lookup_of(config, _complain, adopt=flags["act"])
            report = scanning.scan_target(target, options, lookup, progress)
        report.receipt.warnings += notes
        if flags["act"]:
            _act(config, report)
        if flags["write_baseline"]:
            _write_baseline(report, flags["write_baseline"])
        _write(report, outputs)
        if kept:
            _write_receipt(report, kept)
    for line in report.receipt.text():
        click.echo(f"keywatch: {line}", err=True)
    return report.receipt.exit_code


def _options(config: "Settings", flags: dict[str, Any]) -> "ScanOptions":
    import sys

    from msgspec.structs import replace

    from keywatch import wiring
    from vocabulary.finding import Confidence

    if flags["show_secrets"] and not (flags["output"] == "-" and sys.stdout.isatty()):
        raise UsageError("--show-secrets needs a terminal", remedy="secrets go to no file or pipe")
    if flags["show_secrets"] and flags["more"]:
        raise UsageError("--show-secrets goes with no --report", remedy="secrets go to no file")
    options = replace(
        wiring.scan_options(config),
        confidence=Confidence(flags["confidence"] or config.scan.confidence),
        tree=flags["tree"],
        staged=flags["staged"],
        since=flags["since"],
        branch=flags["branch"],
        ignored=flags["ignored"],
        gitignore=flags["gitignore"],
        diff=flags["diff"],
        submodules=not flags["no_submodules"],
        inline_ignores=not flags["no_inline_ignores"],
        allow_shallow=flags["allow_shallow"],
        show_secrets=flags["show_secrets"],
        cache=not flags["no_cache"],
        verifier=_verifier() if flags["verify"] else None,
    )
    return replace(options, **_hiding(flags))


def _verifier() -> "Verifier":
    from scanner.verify import Verifier

    return Verifier()


def _hiding(flags: dict[str, Any]) -> dict[str, Any]:
    """Read what the flags name that hides findings; every mistake in it ends the scan early."""
    from pathlib import Path

    read: dict[str, Any] = {}
    if flags["baseline"]:
        from scanner import baseline

        read["baseline"] = baseline.read(Path(flags["baseline"]))
    if flags["ignore_file"]:
        from scanner import ignorefile

        read["ignores"] = ignorefile.read(Path(flags["ignore_file"]))
    if flags["write_baseline"] and not Path(flags["write_baseline"]).absolute().parent.is_dir():
        raise ConfigError("there is no such folder", where=flags["write_baseline"])
    return read


def _reports(flags: dict[str, Any]) -> "Iterator[tuple[str, str]]":
    """Yield format and file of every report that is asked for."""
    from scanner import reports

    yield flags["report_format"], flags["output"]
    for asked in flags["more"]:
        name, given, file = asked.partition("=")
        if name not in reports.names() or not (given and file):
            raise UsageError(
                f"--report {asked}: it takes FORMAT=FILE",
                remedy=f"formats are {', '.join(reports.names())}",
            )
        yield name, file


def _write(report: "Report", outputs: "Sequence[tuple[str, TextIO]]") -> None:
    from scanner import reports

    for name, out in outputs:
        reports.find(name)(report, out)


def _write_baseline(report: "Report", file: str) -> None:
    from pathlib import Path

    from scanner import baseline

    baseline.write(Path(file), [*report.findings, *report.known])


def _act(config: "Settings", report: "Report") -> None:
    """Answer the findings by the policy, and carry out what is enabled."""
    import time
    from functools import partial

    from database.transaction import open_database
    from keywatch import leaks, portrait, wiring
    from keywatch.keybook import KeyBook

    engine = open_database(config.database, create=False)
    book = KeyBook(engine, config.keys)
    policy, enabled = wiring.policy(config), wiring.enabled(config)
    hook = wiring.hook(config)
    called = partial(portrait.called, engine)
    respond = wiring.responder(policy, enabled, book.known_key, lambda _: time.time(), hook, called)
    alerts = leaks.answer(engine, report.findings, book.known_key, respond, time.time())
    wiring.executor(config, engine).run_once()
    for alert in alerts:
        if alert.action != "none":
            _tell(alert)


def _complain(sentence: str) -> None:
    from keywatch.cli.common import printable

    click.echo(f"keywatch: {printable(sentence)}", err=True)


def _tell(alert: "Alert") -> None:
    done = "would be done, see [actions] enabled" if alert.dry_run else "decided"
    click.echo(f"keywatch: {alert.key}: {alert.action} {done}", err=True)


def _write_receipt(report: "Report", out: TextIO) -> None:
    import json

    json.dump(report.receipt.json(), out, indent=2)
    out.write("\n")
