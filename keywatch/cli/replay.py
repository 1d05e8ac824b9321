"""`keywatch replay`: what would have been."""

import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from keywatch.cli.common import (
    engine,
    json_option,
    print_json,
    print_table,
    printable,
    settings,
)
from keywatch.cli.outputs import opened
from vocabulary.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywatch.replay import KeyList
    from vocabulary.alert import Alert


@click.command()
@click.argument("logs", nargs=-1, metavar="[LOG...]", type=click.Path(exists=True, dir_okay=False))
@click.option("--format", "log_format", default="", metavar="NAME", help="Format of the logs.")
@click.option(
    "--since", metavar="TIME", help="In place of logs: what was alerted within 30d, 12h, …."
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="FILE",
    help="What it would have done; twice or more to compare.",
)
@click.option(
    "--alerts", "alerts_file", metavar="FILE", help="Write alerts as JSON lines; - for stdout."
)
@click.option(
    "--keys",
    "keys_file",
    metavar="FILE",
    help="JSON lines: key, class, owner, environment, created_at, tz, rotated_from, declared.",
)
@click.option(
    "--geoip-city",
    multiple=True,
    metavar="FILE[@TIME]",
    help="From that RFC 3339 time of the log on.",
)
@click.option("--geoip-asn", multiple=True, metavar="FILE[@TIME]")
@click.option("--model", metavar="FILE", help="Model of sessions; see `keywatch model train`.")
@json_option
@click.pass_context
def command(  # noqa: PLR0917  (as many as flags)
    ctx: click.Context,
    logs: tuple[str, ...],
    log_format: str,
    since: str | None,
    policies: tuple[str, ...],
    alerts_file: str | None,
    keys_file: str | None,
    geoip_city: tuple[str, ...],
    geoip_asn: tuple[str, ...],
    model: str | None,
    as_json: bool,
) -> int:
    """Run LOGs through the live pipeline, in their own time, and say what would have been done.

    With --since the stored alerts are answered anew. With --policy it is told which keys would
    have been hit when, with what traffic, and how often rightly by what people said of the
    alerts. Nothing is changed: the state is thrown away and every action is a dry run.
    """
    if since:
        _refuse_logs(logs)
        return _answer_anew(ctx, since, policies, as_json=as_json)
    _need_logs(logs, log_format)
    from contextlib import ExitStack

    from actions.policy import load
    from detectors.geoip import GeoReader
    from keywatch import wiring
    from keywatch.cli.progress import progress, size_of
    from keywatch.history import keys_of
    from keywatch.replay import KeyList, Replay, read_keys
    from keywatch.sources import proxies_of
    from vocabulary.errors import ExitCode

    config = settings(ctx)
    told: list[Alert] = []
    files = [Path(log) for log in logs]
    with ExitStack() as stack:
        out = stack.enter_context(opened(alerts_file)) if alerts_file else None
        advance = stack.enter_context(progress("replaying", sum(size_of(file) for file in files)))
        cities = geoip_city or ((config.geoip.city,) if config.geoip.city else ())
        replay = Replay(
            format=wiring.log_format(config, log_format),
            clean=wiring.cleaner(config.scan, wiring.peppers(config)),
            geo=GeoReader(cities, geoip_asn or ((config.geoip.asn,) if config.geoip.asn else ())),
            policy=load(policies[0]) if policies else wiring.policy(config),
            keys=KeyList(
                read_keys(Path(keys_file)) if keys_file else (),
                config.watch.sensitivity,
                stack.enter_context(keys_of(config)),
            ),
            forest=wiring.forest(model or config.watch.model, [log_format]),
            alert=_listener(out, told if policies else None),
            advance=advance,
            tell=_tell,
            proxies=proxies_of(config),
        )
        if replay.geo.missing:
            _tell(replay.geo.missing)
        tally = replay.run(files)
    for error in tally.broken:
        _tell(str(error))
    compared = _of_logs(told, policies, replay.keys) if policies else {}
    if as_json:
        print_json(tally.public() | compared)
    else:
        click.echo(tally.sentence(), err=alerts_file == "-")
        _show(compared)
    return ExitCode.INCOMPLETE if tally.broken else ExitCode.OK


def _refuse_logs(logs: tuple[str, ...]) -> None:
    if logs:
        raise UsageError("either logs or --since", remedy="leave one of them out")


def _need_logs(logs: tuple[str, ...], log_format: str) -> None:
    if not logs or not log_format:
        raise UsageError(
            "name logs and their --format, or say --since", remedy="see `keywatch replay --help`"
        )


def _listener(out: "IO[str] | None", told: "list[Alert] | None") -> "Callable[[Alert], None]":
    """Return what is given every alert: it is written, or kept, or both."""
    from vocabulary.alert import alert_json

    def listen(alert: "Alert") -> None:
        if out:
            print(alert_json(alert).decode(), file=out)
        if told is not None:
            told.append(alert)

    return listen


def _answer_anew(
    ctx: click.Context, since: str, policies: tuple[str, ...], *, as_json: bool
) -> int:
    """Say what policies would have done about the alerts of the database."""
    from actions.policy import load
    from database.transaction import reading
    from keywatch import whatif, wiring
    from vocabulary.errors import ExitCode
    from vocabulary.moments import seconds_of

    opened = engine(ctx, create=False)
    tried = {name: load(name) for name in policies}
    if not tried:
        config = settings(ctx)
        tried = {config.actions.policy or "built-in": wiring.policy(config)}
    with reading(opened) as connection:
        told = whatif.stored(connection, time.time() - seconds_of(since))
    past = whatif.History(opened)
    hits = {
        name: whatif.hits(told, policy, past.known, past.traffic, past.copy)
        for name, policy in tried.items()
    }
    compared = {"alerts": len(told)} | whatif.compared(hits)
    if as_json:
        print_json(compared)
    else:
        click.echo(f"{len(told)} alerts")
        _show(compared)
    return ExitCode.OK


def _of_logs(told: "list[Alert]", policies: tuple[str, ...], listed: "KeyList") -> dict[str, Any]:
    """Say what policies would have done about the alerts of a replay."""
    from actions.policy import load
    from keywatch import whatif

    at = [whatif.of_replay(alert) for alert in told]
    known = listed.known_key
    hits = {
        name: whatif.hits(at, load(name), lambda key: known(None, key), lambda *_: None)
        for name in policies
    }
    return whatif.compared(hits)


def _show(compared: dict[str, Any]) -> None:
    """Print who would have been hit, and what each policy comes to."""
    names = list(compared.get("policies", {}))
    if not names:
        return
    cells = [
        [row["key"], row["owner"], row["traffic"], row["verdict"]]
        + [_deed(row["policies"][name]) for name in names]
        for row in compared["keys"]
    ]
    print_table(("KEY", "OWNER", "REQUESTS/DAY", "FEEDBACK", *names), cells)
    for name, said in compared["policies"].items():
        deeds = ", ".join(f"{count} {action}" for action, count in said["actions"].items())
        by = said["by_feedback"]
        right = f"{by['true']} true, {by['false']} false, {by['unknown']} nobody judged"
        click.echo(
            f"{name}: {said['keys']} keys ({deeds or 'no action'}), {said['held']} held; {right}"
        )


def _deed(deed: dict[str, Any] | None) -> str:
    if deed is None:
        return "-"
    return f"{deed['action']} {deed['at']}" + (" (held)" if deed["state"] == "held" else "")


def _tell(said: str) -> None:
    click.echo(f"keywatch: {printable(said)}", err=True)
