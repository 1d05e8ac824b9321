"""`keywatch doctor`: a look at everything, or at a log before it is watched."""

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import json_option, print_json, print_table, printable, settings

if TYPE_CHECKING:
    from keywatch.config import Settings
    from streams.diagnosis import Diagnosis
    from streams.parsed import Format, Parsed

_LINES = 1000
_SHOWN = 5
_WAIT_S = 10.0
_NOT_LET_IN = (401, 403)


@click.command()
@click.option("--access-log", metavar="FILE", help="A log to look at instead; - for stdin.")
@json_option
@click.pass_context
def command(ctx: click.Context, access_log: str | None, as_json: bool) -> int:
    """Look at everything that keywatch needs, and say how to mend what is wrong.

    That is the configuration, database, audit log, policy, sources, services and packages;
    nothing is changed. Exit code 3 where something does not work as it is.

    With --access-log say which format a log is of, show some events, and what is missing. Looks
    at the first 1000 lines. Secrets in them are replaced before anything is shown.
    """
    if access_log is None:
        return _checkup(ctx, as_json)
    _diagnosis(ctx, access_log, as_json)
    return 0


def _checkup(ctx: click.Context, as_json: bool) -> int:
    import msgspec

    from keywatch.checkup import FAIL, checkup
    from vocabulary.errors import ExitCode

    found = checkup(settings(ctx))
    if as_json:
        print_json([msgspec.structs.asdict(one) for one in found])
    else:
        rows = ((one.about, one.state, one.said, one.remedy) for one in found)
        print_table(("LOOKED AT", "STATE", "SEEN", "TO DO"), rows)
    broken = any(one.state == FAIL for one in found)
    return ExitCode.INCOMPLETE if broken else ExitCode.OK


def _diagnosis(ctx: click.Context, access_log: str, as_json: bool) -> None:
    from dataclasses import replace

    from keywatch import rawkeys, wiring
    from keywatch.history import keys_of
    from keywatch.sources import proxies_of
    from streams.diagnosis import diagnose

    config = settings(ctx)
    clean = wiring.cleaner(config.scan, wiring.peppers(config))
    lines, exposures = clean(_first_lines(access_log))
    found = diagnose(lines, access_log, _configured(config), proxies_of(config))
    with keys_of(config) as book:
        shown = rawkeys.cleaned(found.parsed, book)
    found = replace(found, parsed=shown.parsed)
    told = _told(found, len(exposures) + len(shown.exposures))
    if as_json:
        print_json(told)
    else:
        _show(found, told)


def _configured(config: "Settings") -> "list[Format]":
    """Return the formats of the sources that are not written in their default way."""
    from streams import formats

    return [formats.shaped(one.format, one.shape) for one in config.sources if one.shape]


def _first_lines(path: str) -> list[bytes]:
    from streams.sources.file import FileSource
    from streams.sources.stdin import StdinSource

    source = StdinSource() if path == "-" else FileSource(path, follow=False)
    lines: list[bytes] = []
    with source:
        source.open(None)
        while len(lines) < _LINES and not source.done:
            chunk = source.read(_LINES - len(lines), _WAIT_S)
            if chunk is None:
                break
            lines += chunk.lines
    return lines


def _told(found: "Diagnosis", exposed: int) -> dict[str, Any]:
    return {
        "format": found.format.name,
        "also": list(found.others),
        "lines": found.lines,
        "events": len(found.parsed),
        "rejected": dict(found.reasons),
        "exposed": exposed,
        "sample": _sample(found),
        "missing": [{"what": lack.what, "without_it": lack.without_it} for lack in found.lacks],
        "log_the_key": found.format.log_the_key,
    }


def _sample(found: "Diagnosis") -> list[dict[str, Any]]:
    from datetime import UTC, datetime

    parsed = found.parsed
    columns = zip(
        parsed.ts_ms, parsed.key, parsed.ip, parsed.method, parsed.path, parsed.status, strict=True
    )
    return [
        {
            "time": datetime.fromtimestamp(ts_ms / 1000, UTC).isoformat(),
            "key": key,
            "ip": ip,
            "method": method,
            "path": path,
            "status": status,
        }
        for ts_ms, key, ip, method, path, status in islice(columns, _SHOWN)
    ]


def _lacks_keys(parsed: "Parsed") -> bool:
    """Say whether some requests that were let in name no key."""
    named = zip(parsed.key, parsed.status, strict=True)
    return any(not key and status not in _NOT_LET_IN for key, status in named)


def _show(found: "Diagnosis", told: dict[str, Any]) -> None:
    also = f" ({', '.join(found.others)} would do as well)" if found.others else ""
    click.echo(f"{found.format.name}: {found.format.about}{also}")
    click.echo(f"{len(found.parsed)} of {found.lines} lines are events")
    for reason, count in found.reasons:
        click.echo(f"  {count} refused: {printable(reason)}")
    if told["exposed"]:
        click.echo(f"  {told['exposed']} secrets stand in clear in these lines")
    print_table(list(told["sample"][0]), [list(event.values()) for event in told["sample"]])
    for lack in found.lacks:
        click.echo(f"missing: {lack.what}; {lack.without_it}")
    if _lacks_keys(found.parsed):
        click.echo(f"\nTo log the key:\n{found.format.log_the_key}")
