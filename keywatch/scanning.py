"""A scan as the application does it: with its configuration, its key store and its hooks.

What runs before every commit imports this and no command line: keywatch/quick.py.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from keywatch.places import DEFAULT_FILE, has_database
from vocabulary.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywatch.config import Settings
    from scanner.options import Progress, ScanOptions
    from scanner.run import Report
    from vocabulary.credential import Lookup

# Each function imports what it needs: a hook that finds nothing starts no more than it must.
# ruff: noqa: PLC0415


def settings_for(
    file: str | None, flags: Mapping[str, Any], target: str
) -> "tuple[Settings, list[str]]":
    """Return the configuration of a scan, and what to tell about it.

    A keywatch.toml that nobody named and that lies in what is scanned is part of the target, which
    may be hostile: it is not read.

    Args:
        file: that was named; None for keywatch.toml, if it is there.
        flags: dotted entry → value.
        target: what is scanned.
    """
    from keywatch.config import load

    notes = []
    if file is None and (found := Path(DEFAULT_FILE)).exists():
        place = Path(target)
        if place.is_dir() and found.resolve().is_relative_to(place.resolve()):
            notes = [f"{DEFAULT_FILE} lies in what is scanned and is not read (name it: --config)"]
            file = os.devnull
    return load(file, flags=flags).settings, notes


def lookup_of(
    config: "Settings", tell: "Callable[[str], None]" = lambda _: None, *, adopt: bool = False
) -> "Lookup | None":
    """Return how to ask the key store, where there is one; none is made for a scan.

    Args:
        config: the configuration.
        tell: is told which other stores cannot be asked.
        adopt: whether keys of other stores become ours, to be acted upon.
    """
    if not has_database(config.database):
        return None

    def ask(credentials: Sequence[Any]) -> Sequence[Any]:
        # Only a scan that found something pays for the database.
        from database.transaction import open_database
        from keywatch import foreign

        engine = open_database(config.database, create=False)
        try:
            return foreign.lookup(engine, config, tell, adopt=adopt)(credentials)
        finally:
            engine.dispose()

    return ask


def scan_target(
    target: str,
    options: "ScanOptions",
    lookup: "Lookup | None",
    progress: "Progress | None" = None,
) -> "Report":
    """Scan; what is staged is, within a hook, what git says is about to be committed."""
    from scanner.run import scan

    if options.staged and "GIT_INDEX_FILE" in os.environ and Path(target).resolve() == Path.cwd():
        from scanner import hooks
        from scanner.sources import gitrun

        if repository := gitrun.find(Path(target)):
            return hooks.pre_commit(repository, os.environ, options, lookup)
    return scan(target, options, lookup, progress)


_VERBS = {"pre-commit": "commit", "commit-msg": "commit", "pre-push": "push", "pre-receive": "push"}


def answer_hook(
    report: "Report", kind: str, out: TextIO, *, allow_incomplete: bool = False, marks: bool = True
) -> int:
    """Say why something is refused, or nothing where nothing was found; returns the exit code.

    Args:
        report: of what the hook scanned.
        kind: the hook's name.
        out: is told.
        allow_incomplete: what could not be scanned is no reason to refuse.
        marks: whether a mark on a line would have let it through.
    """
    from scanner import reports

    code = report.receipt.exit_code
    if code == ExitCode.OK and not report.receipt.warnings:
        return code
    reports.find("table")(report, out)
    out.writelines(f"keywatch: {line}\n" for line in report.receipt.text())
    if report.findings:
        out.write(
            f"keywatch: this {_VERBS[kind]} is refused: {reports.summary(report)}. Take it out. "
            f"What is no secret is marked {'on its line with keywatch:allow, or ' if marks else ''}"
            "with `keywatch ignore add FINGERPRINT --reason …`\n"
        )
        return code
    if code == ExitCode.INCOMPLETE and not allow_incomplete:
        out.write(
            f"keywatch: this {_VERBS[kind]} is refused: not all of it could be scanned. A hook "
            "that only warns of this is installed with --allow-incomplete\n"
        )
        return code
    return ExitCode.OK
