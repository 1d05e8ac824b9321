"""`keywatch keys import`: take over keys that exist already, by their hashes."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keywatch.cli.common import json_option, person, print_json, settings
from keywatch.cli.living import key_store_of
from vocabulary.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keystore.bulk import Fields, Progress, Refused


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--format", "form", default="", help="csv, json or jsonl. Default: by the name.")
@click.option(
    "--map",
    "mapped",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="How FILE calls a field; what is not mapped is left out. May be repeated.",
)
@click.option("--from", "url", default="", metavar="URL", help="A database instead of a FILE.")
@click.option("--query", default="", metavar="SQL", help="What to read there, with an ORDER BY.")
@click.option("--name", default="", help="To resume it by. Default: the file's, or the query's.")
@click.option("--refused", type=click.Path(path_type=Path), help="Write refused rows there.")
@click.option("--actor", default="", help="Who, for the audit log. Default: you.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    file: Path | None,
    form: str,
    mapped: tuple[str, ...],
    url: str,
    query: str,
    name: str,
    refused: Path | None,
    actor: str,
    as_json: bool,
) -> int:
    """Take over keys that exist already, by their SHA-256 or HMAC-SHA-256.

    Rows have `hash` or `public_id`, and what they like of: pepper, name, owner, account,
    environment, publishable, class, tz, scopes, networks, endpoints, models, plan, limits,
    tokens_per_min, tokens_per_day, tokens_per_month, declared, state, created_at, expires_at,
    prefix, store, external_id. Run it again to go on after a crash.
    """
    from keystore.bulk import Import
    from keywatch import keyfiles

    if bool(file) == bool(url) or bool(url) != bool(query):
        raise UsageError("name a FILE, or --from and --query")
    rows: Iterator[Fields]
    if file is not None:
        source = keyfiles.fingerprint_of_file(file, mapped)
        rows = keyfiles.rows_of_file(file, form, _columns(mapped))
    else:
        source = keyfiles.fingerprint_of_query(url, query)
        rows = keyfiles.rows_of_query(url, query)
    store = key_store_of(ctx, create=True)
    taken = Import(
        store.engine,
        name or (file.name if file else source[:16]),
        source,
        scheme=store.scheme,
        peppers=settings(ctx).keys.peppers,
        actor=person(actor),
        clock=store.clock,
    )
    began = time.monotonic()

    def report(progress: "Progress", refusals: "Sequence[Refused]") -> None:
        if refused is not None:
            with refused.open("a") as out:
                for each in refusals:
                    line = {"row": each.number, "reason": each.reason}
                    out.write(json.dumps(line) + "\n")
        rate = progress.position / max(time.monotonic() - began, 1e-9)
        click.echo(f"keywatch: {progress.position:,} rows, {rate:,.0f}/s", err=True)

    if taken.begin().done:
        click.echo(f"keywatch: {taken.name!r} was taken over before: nothing is read", err=True)
    done = taken.run(rows, report)
    if as_json:
        said = {"name": taken.name, "rows": done.position}
        print_json(said | {"accepted": done.accepted, "refused": done.refused})
    else:
        click.echo(f"{done.accepted:,} keys taken over, {done.refused:,} rows refused")
    return ExitCode.INCOMPLETE if done.refused else ExitCode.OK


def _columns(mapped: tuple[str, ...]) -> dict[str, str]:
    from keystore.imported import FIELDS

    columns = {}
    for each in mapped:
        field, equals, column = each.partition("=")
        if not equals or field not in FIELDS or not column:
            raise UsageError(f"{each!r} maps no field", remedy=f"one of {', '.join(FIELDS)}")
        columns[field] = column
    return columns
