"""`keywatch ignore`: findings that somebody answers for, for a reason, until a day."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import (
    Did,
    Group,
    json_option,
    person,
    print_json,
    print_table,
    settings,
    telling,
)
from vocabulary.errors import UsageError

if TYPE_CHECKING:
    import datetime as dt

    from scanner.foreign import Entry
    from scanner.ignorefile import Ignore

_SHOWN = 20

_file_option = click.option(
    "--ignore-file", metavar="FILE", help="Instead of the configured one ([scan] ignore)."
)
_reason_option = click.option("--reason", required=True, help="Why it is not reported.")
_owner_option = click.option("--owner", help="Who answers for it. Default: you.")
_expires_option = click.option(
    "--expires",
    default="90d",
    show_default=True,
    metavar="WHEN",
    help="Last day: YYYY-MM-DD, a time from now such as 30d or 12w, or never.",
)


@click.group("ignore", cls=Group)
def command() -> None:
    """Findings that are not reported, each with an owner, a reason and an end.

    They are kept in the file that [scan] ignore or --ignore-file names, else in ignore.toml of
    your own configuration folder; never in one that merely lies in what is scanned.
    """


@command.command()
@click.argument("fingerprint")
@_reason_option
@_owner_option
@_expires_option
@_file_option
@click.pass_context
@telling
def add(ctx: click.Context, /, fingerprint: str, **flags: Any) -> Did:  # noqa: ANN401
    """Ignore the finding with this FINGERPRINT; another value at its place fires again."""
    from scanner import ignorefile
    from scanner.baseline import FINGERPRINT

    if not FINGERPRINT.fullmatch(fingerprint):
        raise UsageError(f"`{fingerprint}` is no fingerprint", remedy="copy it whole from a report")
    file = _file(ctx, flags["ignore_file"])
    known = ignorefile.read(file, missing_ok=True)
    new = _made(fingerprint, flags)
    ignorefile.write(file, ignorefile.with_one(known, new))
    return Did(_row(new) | {"file": str(file)}, f"{fingerprint} is ignored, in {file}")


@command.command("list")
@_file_option
@json_option
@click.pass_context
def list_ignores(ctx: click.Context, ignore_file: str | None, as_json: bool) -> None:
    """List what is ignored, and what has expired."""
    from scanner import ignorefile

    ignores = ignorefile.read(_file(ctx, ignore_file), missing_ok=True)
    rows = [_row(one) for one in ignores]
    if as_json:
        print_json(rows)
        return
    columns = ("fingerprint", "state", "expires", "owner", "reason", "rule", "path")
    print_table(
        columns, [[row[name] or "" for name in columns] for row in rows], whole=("state", "expires")
    )


@command.command()
@click.argument("fingerprint")
@_file_option
@click.pass_context
@telling
def remove(ctx: click.Context, fingerprint: str, ignore_file: str | None) -> Did:
    """Report the finding with this FINGERPRINT again; its beginning is enough."""
    from scanner import ignorefile

    file = _file(ctx, ignore_file)
    known = ignorefile.read(file, missing_ok=True)
    meant = [one.fingerprint for one in known if one.fingerprint.startswith(fingerprint)]
    if len(meant) != 1:
        count = f"{len(meant)} ignores begin" if meant else "no ignore begins"
        raise UsageError(f"{count} with `{fingerprint}`", where=str(file))
    ignorefile.write(file, [one for one in known if one.fingerprint != meant[0]])
    told = {"fingerprint": meant[0], "file": str(file)}
    return Did(told, f"{meant[0]} is reported again")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("target", default=".")
@_reason_option
@_owner_option
@_expires_option
@_file_option
@click.pass_context
@telling
def import_ignores(ctx: click.Context, /, file: Path, target: str, **flags: Any) -> Did:  # noqa: ANN401
    """Take over a .gitleaksignore or a .secrets.baseline.

    TARGET is scanned, so that each entry becomes the fingerprint of the finding that it means:
    that one outlives moved lines. Entries that mean nothing that is found are listed.
    """
    from scanner import foreign, ignorefile

    place = _file(ctx, flags["ignore_file"])
    known = list(ignorefile.read(place, missing_ok=True))
    entries = foreign.read(file)
    matched = foreign.match(entries, _found(ctx, target))
    for finding in matched.findings:
        new = _made(finding.fingerprint, flags, rule=finding.rule, path=finding.path)
        known = ignorefile.with_one(known, new)
    ignorefile.write(place, known)
    _tell_unmatched(matched.unmatched)
    count = len(entries) - len(matched.unmatched)
    told = {
        "entries": len(entries),
        "matched": count,
        "findings": [finding.fingerprint for finding in matched.findings],
        "unmatched": [str(entry.where) for entry in matched.unmatched],
        "file": str(place),
    }
    return Did(
        told,
        f"{count} of {len(entries)} entries mean {len(matched.findings)} findings, "
        f"ignored in {place}",
    )


def _file(ctx: click.Context, named: str | None) -> Path:
    from keywatch import places

    return places.ignore_file(named or settings(ctx).scan.ignore)


def _made(fingerprint: str, flags: dict[str, Any], *, rule: str = "", path: str = "") -> "Ignore":
    from scanner.ignorefile import Ignore
    from scanner.printable import text

    if not flags["reason"].strip():
        raise UsageError("an ignore needs a reason")
    return Ignore(
        fingerprint=fingerprint,
        reason=flags["reason"],
        owner=person(flags["owner"] or ""),
        expires=_day(flags["expires"]),
        rule=rule,
        path=text(path),
    )


def _today() -> "dt.date":
    import datetime as dt

    return dt.datetime.now(dt.UTC).date()


def _day(said: str) -> "dt.date | None":
    """Read a last day: a date, a time from now, or never."""
    import datetime as dt
    import re

    if said == "never":
        return None
    if found := re.fullmatch(r"(\d{1,5})([dw])", said):
        return _today() + dt.timedelta(days=int(found[1]) * {"d": 1, "w": 7}[found[2]])
    try:
        day = dt.date.fromisoformat(said)
    except ValueError:
        raise UsageError(
            f"`{said}` is no day", where="--expires", remedy="such as 2027-01-31, 30d, 12w or never"
        ) from None
    if day < _today():
        raise UsageError(f"{day} has passed", where="--expires")
    return day


def _row(ignore: "Ignore") -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(ignore), "state": _state(ignore)}


def _state(ignore: "Ignore") -> str:
    return "active" if ignore.holds(_today()) else "expired"


def _found(ctx: click.Context, target: str) -> "list[Any]":
    """Scan for all that could be meant, with values readable: entries name them by their hash."""
    from msgspec.structs import replace

    from keywatch import scanning, wiring
    from keywatch.cli.progress import counter
    from scanner.run import scan
    from vocabulary.finding import Confidence

    root = ctx.find_root().obj
    config, _ = scanning.settings_for(root["config_file"], root["flags"], target)
    options = replace(
        wiring.scan_options(config),
        confidence=Confidence.LOW,
        inline_ignores=False,
        allow_shallow=True,
        show_secrets=True,
        ignores=(),
    )
    with counter("scanning") as progress:
        return list(scan(target, options, None, progress))


def _tell_unmatched(unmatched: "tuple[Entry, ...]") -> None:
    for entry in unmatched[:_SHOWN]:
        click.echo(f"keywatch: {entry.where}: means nothing that is found", err=True)
    if len(unmatched) > _SHOWN:
        click.echo(f"keywatch: and {len(unmatched) - _SHOWN} more", err=True)
