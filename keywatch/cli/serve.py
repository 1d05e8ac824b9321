"""`keywatch serve`: run the gateway, the pipeline, the console, or all of them."""

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from keywatch.cli.common import engine, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from gateway.access import Sink
    from gateway.limits import Limit
    from gateway.options import Options
    from gateway.reader import Reader
    from keywatch.config import Settings
    from keywatch.tracing import Heeding

_MOST_EVENT_BYTES = 256 * 1024 * 1024

_LIMIT = "What each key may do, such as 600/min or 20/s:5 (5 at once); may be repeated."


@click.command()
@click.argument(
    "part",
    type=click.Choice(["gateway", "pipeline", "console", "all"]),
    default="gateway",
    required=False,
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 for a free one.")
@click.option("--console-port", type=click.IntRange(0, 65535), help="Of the console, with all.")
@click.option("--access-log", metavar="FILE", help="Write accesses here, as nginx-json.")
@click.option("--limit", "limits", multiple=True, metavar="N/WINDOW", help=_LIMIT)
@click.option("--upstream", metavar="URL", help="Hand what is let in on to this server.")
@click.pass_context
def command(  # noqa: PLR0917  (as many flags)
    ctx: click.Context,
    part: str,
    host: str | None,
    port: int | None,
    console_port: int | None,
    access_log: str | None,
    limits: tuple[str, ...],
    upstream: str | None,
) -> int | None:
    """Run the gateway, or another PART of keywatch, or all of them.

    The gateway lets requests through, throttles or denies them by their API key. It answers
    reverse proxies on /auth (nginx) and /verify (Traefik, Caddy, Envoy), and tells on /healthz
    whether keys can be checked.

    The console serves pages for people, the API below /api/v1, /healthz, /readyz and /metrics.
    The pipeline is `keywatch watch`. With all, each is a process of its own, and what the
    gateway sees is what the pipeline watches.
    """
    if part == "console":
        _console(ctx, host, port)
    elif part == "pipeline":
        _pipeline(ctx)
    elif part == "all":
        flags = {"--host": host, "--port": port, "--access-log": access_log, "--upstream": upstream}
        return _all(ctx, flags, limits, console_port)
    else:
        _gateway(ctx, host, port, access_log, limits, upstream)
    return None


def _gateway(
    ctx: click.Context,
    host: str | None,
    port: int | None,
    access_log: str | None,
    limits: tuple[str, ...],
    upstream: str | None,
) -> None:
    from gateway.canary import Canary
    from gateway.clients import trust_in
    from gateway.instant import answering
    from gateway.server import serve
    from gateway.standalone import standalone
    from gateway.upstream import Upstream
    from keywatch.keystores import key_store

    # What a broken connection leaves behind is told by the gateway, in a line without a traceback.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    chosen = settings(ctx)
    options = _options(chosen, limits)
    url = upstream or chosen.gateway.upstream
    behind = Upstream(url, trust_in(options.trusted_proxies)) if url else None
    database = engine(ctx, create=False)
    with ExitStack() as stack:
        sink = _sink(chosen, access_log, stack)
        reader = _reader(chosen, database)
        if heeding := _heeding(chosen, database, reader):
            heeding.start()
            stack.callback(heeding.stop)
        faces = standalone(reader, options, sink=sink, upstream=behind)

        def announce(url: str) -> None:
            click.echo(f"keywatch gateway listening on {url}")
            if chosen.gateway.canary_s:
                store = key_store(database, chosen.keys)
                canary = Canary(store, url, faces.gateway.tally.lockout, chosen.gateway.canary_s)
                stack.callback(canary.stop)

        serve(
            faces.app,
            chosen.gateway.host if host is None else host,
            chosen.gateway.port if port is None else port,
            announce,
            answering(faces.instant),
        )


def _console(ctx: click.Context, host: str | None, port: int | None) -> None:
    from keywatch.console.server import run

    chosen, database = settings(ctx), engine(ctx)
    _greet(database, chosen)
    run(
        chosen,
        database,
        chosen.console.host if host is None else host,
        chosen.console.port if port is None else port,
        lambda url: click.echo(f"keywatch console listening on {url}"),
    )


def _pipeline(ctx: click.Context) -> None:
    from keywatch.cli.watch import command as watch

    ctx.invoke(watch, access_log=None, log_format="nginx-json", once=False)


def _all(
    ctx: click.Context,
    flags: "Mapping[str, object]",
    limits: tuple[str, ...],
    console_port: int | None,
) -> int:
    import signal
    from threading import Event

    from keywatch.supervise import environment, keywatch_command, supervise

    chosen = settings(ctx)
    engine(ctx)  # made here, once, before three parts want it
    if not chosen.actions.enabled:
        click.echo("keywatch: dry run: [actions] enabled lists nothing", err=True)
    root = ctx.find_root().obj
    options = ["--config", root["config_file"]] if root["config_file"] else []
    environ = environment(chosen) | {"KEYWATCH_DATABASE": chosen.database}
    said = [
        word for flag, value in flags.items() if value is not None for word in (flag, str(value))
    ]
    said += [word for limit in limits for word in ("--limit", limit)]
    of_console = [] if console_port is None else ["--port", str(console_port)]
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return supervise(
        {
            "gateway": keywatch_command(options, "serve", "gateway", *said),
            "pipeline": keywatch_command(options, "serve", "pipeline"),
            "console": keywatch_command(options, "serve", "console", *of_console),
        },
        environ,
        lambda sentence: click.echo(f"keywatch: {sentence}", err=True),
        stop,
    )


def _greet(database: "Engine", chosen: "Settings") -> None:
    """Say what the first run of a console lacks."""
    from database.transaction import reading
    from keywatch.people import users

    with reading(database) as connection:
        if not users.listed(connection) and not chosen.console.oidc.issuer:
            add = "keywatch users add NAME --role admin"
            click.echo(f"keywatch: nobody can log in yet: {add}", err=True)


def _sink(chosen: "Settings", access_log: str | None, stack: ExitStack) -> "Sink":
    """Return where accesses go: the log, the pipeline's events, both or nowhere."""
    from pathlib import Path

    from gateway.access import as_event, both
    from gateway.accesslog import AccessLog
    from gateway.app import ignore
    from keywatch import wiring

    sink: Sink = ignore
    if not (access_log or chosen.gateway.access_log or chosen.gateway.events):
        return sink
    clean = wiring.redactor(chosen.scan, wiring.peppers(chosen))
    if path := access_log or chosen.gateway.access_log:
        log = AccessLog(Path(path), clean)
        stack.callback(log.close)
        sink = log
    if chosen.gateway.events:
        events = AccessLog(
            Path(chosen.gateway.events), clean, form=as_event, most_bytes=_MOST_EVENT_BYTES
        )
        stack.callback(events.close)
        sink = events if sink is ignore else both(sink, events)
    return sink


def _reader(chosen: "Settings", engine: "Engine") -> "Reader":
    from database.transaction import shown

    if chosen.telemetry.traces:
        from keywatch.tracing import HeardReader as Kind
    else:
        from gateway.reader import Reader as Kind  # type: ignore[assignment]

    if not chosen.gateway.redis:
        return Kind(engine)
    from gateway.remote import RemoteCache

    redis = chosen.gateway.redis
    return Kind(engine, remote=RemoteCache(redis, shown(chosen.database)), redis=redis)


def _heeding(chosen: "Settings", engine: "Engine", reader: "Reader") -> "Heeding | None":
    """Return what tells when changes were heeded, where somebody wants to know."""
    if not chosen.telemetry.traces:
        return None
    from keywatch.tracing import HeardReader, Heeding, spans_of

    spans = spans_of(chosen.telemetry, "gateway")
    assert spans is not None
    assert isinstance(reader, HeardReader)
    return Heeding(engine, spans, reader)


def _options(chosen: "Settings", limits: tuple[str, ...]) -> "Options":
    from gateway.endpoints import Endpoint
    from gateway.options import Options
    from keywatch.keystores import issuers_of

    gateway = chosen.gateway
    return Options(
        headers=gateway.headers,
        query_keys=gateway.query_keys,
        trusted_proxies=gateway.trusted_proxies,
        limits=_limits(limits or gateway.limits, "key"),
        account_limits=_limits(gateway.account_limits, "account"),
        ip_limits=_limits(gateway.ip_limits, "ip"),
        global_limits=_limits(gateway.global_limits, "global"),
        endpoints=tuple(
            Endpoint(one.pattern, one.scopes, _limits(one.limits, "endpoint"), one.per)
            for one in gateway.endpoints
        ),
        issuers=tuple(issuers_of(chosen.issuers).values()),
        certificate_header=gateway.certificate_header,
        certificate_hash_suffices=gateway.certificate_hash_suffices,
        certificate_max_life_s=gateway.certificate_max_life_days * 86_400.0,
        certificate_authorities=gateway.certificate_authorities,
        revocation_lists=gateway.revocation_lists,
        ocsp=gateway.ocsp,
        unregistered=gateway.unregistered,
        tokens_header=gateway.tokens_header,
        count_uses=_count_uses(chosen),
        uses_kept_s=chosen.keys.usage_days * 86_400.0,
        metrics=gateway.metrics,
        redis=gateway.redis,
        closed_without_redis=gateway.closed_without_redis,
        silence_s=gateway.stale_s,
        cached_s=gateway.cached_s,
        cached_keys=gateway.cached_keys,
        cached_unknown=gateway.cached_unknown,
        peppers={name: pepper.encode() for name, pepper in chosen.keys.peppers.items()},
    )


def _count_uses(chosen: "Settings") -> str:
    """Return who counts uses: where access logs are configured `watch` does that from them."""
    is_read = chosen.gateway.events or any(one.events == "access" for one in chosen.sources)
    how = chosen.gateway.count_uses
    return "never" if how == "auto" and is_read else how


def _limits(texts: tuple[str, ...], level: str) -> "tuple[Limit, ...]":
    from gateway.limits import limit_of

    return tuple(limit_of(text, level) for text in texts)
