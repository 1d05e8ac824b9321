"""`keywatch doctor`: everything that keywatch needs, looked at, and how to mend what is wrong.

Each check looks and changes nothing. `fail`: it does not work as it is; `warn`: it works, but
somebody should know; `ok`.
"""

import os
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection, Engine, func, select

from database import counters
from database.engine import engine_of, shown, sqlite_file
from database.schema import audit as log
from database.schema import dead_letters, outbox, positions, users
from database.transaction import HEAD, reading, revision
from keystore import audit
from keywatch.config import Settings
from vocabulary.errors import KeywatchError

OK, WARN, FAIL = "ok", "warn", "fail"
_PATIENCE_S = 2.0
_LITTLE_BYTES = 1024**3
_SILENT_S = 3600.0
_AUDIT_ROWS = 2000


class Check(msgspec.Struct, frozen=True):
    """What a look showed.

    Attributes:
        about: what was looked at.
        state: ok, warn or fail.
        said: what was seen.
        remedy: what to do about it; empty where nothing need be done.
    """

    about: str
    state: str
    said: str
    remedy: str = ""


Look = Callable[[Settings], Iterator[Check]]


def checkup(settings: Settings) -> list[Check]:
    """Look at everything; a look that fails itself is a finding, and the others go on."""
    found: list[Check] = []
    for about, look in _LOOKS:
        try:
            found += look(settings)
        except KeywatchError as error:
            found.append(
                Check(about, FAIL, str(error).replace(f" ({error.remedy})", ""), error.remedy)
            )
        except OSError as error:
            found.append(
                Check(about, FAIL, f"{error.filename or about}: {error.strerror or error}")
            )
    return found


def _database(settings: Settings) -> Iterator[Check]:
    engine = engine_of(settings.database)
    place, file = shown(settings.database), sqlite_file(engine)
    if file is not None and not file.exists():
        yield _not_yet(file)
        return
    try:
        found = revision(engine, place)
        if found != HEAD:
            said = f"{place} is of schema {found or 'none'}, this keywatch writes {HEAD}"
            yield Check("database", WARN, said, "any command upgrades it, or `keywatch db upgrade`")
            return
        yield Check("database", OK, f"{place}, schema {found}")
        if file is not None:
            yield from _file(file)
        yield from _inside(engine)
    finally:
        engine.dispose()


def _not_yet(file: Path) -> Check:
    """Say what to do first where nothing was ever done; looking makes no file."""
    if not os.access(file.resolve().parent, os.W_OK | os.X_OK):
        said = f"{file}: its folder is not there, or may not be written to"
        return Check("database", FAIL, said, "make it, or name another place in `database`")
    remedy = (
        "first step: `keywatch keys create` for a key to guard, or `keywatch watch --access-log "
        "FILE`; either makes it. If there was one, correct `database`"
    )
    return Check("database", WARN, f"{file}: there is none yet", remedy)


def _file(file: Path) -> Iterator[Check]:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077 and os.name == "posix":
        said = f"{file} can be read by others ({mode:o})"
        yield Check("database file", WARN, said, f"chmod 600 {file}")
    free = shutil.disk_usage(file.resolve().parent).free
    size = file.stat().st_size
    if free < max(_LITTLE_BYTES, size):
        said = f"{free / 1e9:.1f} GB are free beside a database of {size / 1e9:.1f} GB"
        yield Check("disk", WARN, said, "free some space; a full disk stops the pipeline")
    else:
        yield Check("disk", OK, f"{free / 1e9:.0f} GB free, the database takes {size / 1e6:.0f} MB")


def _inside(engine: Engine) -> Iterator[Check]:
    with reading(engine) as connection:
        yield _audit_tail(connection)
        yield from _outbox(connection)
        yield from _progress(connection)
        has_admin = select(func.count()).where(users.c.role == "admin", users.c.disabled.is_(False))
        if not connection.scalar(has_admin):
            add = "keywatch users add NAME --role admin"
            yield Check("people", WARN, "nobody can log in to the console as admin", add)


def _audit_tail(connection: Connection) -> Check:
    """Prove the newest rows of the log; `keywatch audit verify` proves them all."""
    last = int(connection.scalar(select(func.max(log.c.seq))) or 0)
    first = max(last - _AUDIT_ROWS, 0)
    previous, proven = "", 0
    for row in audit.rows_since(connection, first):
        is_whole = row.is_erased or row.recomputed() == row.hash
        if (previous and row.previous_hash != previous) or not is_whole:
            remedy = "keywatch audit verify; compare with a backup, and find out who wrote to it"
            return Check("audit log", FAIL, f"row {row.seq} is not what was written", remedy)
        previous, proven = row.hash, proven + 1
    return Check("audit log", OK, f"the newest {proven} of {last} rows are proven")


def _outbox(connection: Connection) -> Iterator[Check]:
    rows = connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state))
    states = {str(state): int(n) for state, n in rows}
    if n := states.get("dead", 0):
        remedy = "keywatch actions list --all --state dead, then `actions retry`"
        yield Check("actions", WARN, f"{n} actions or messages were given up", remedy)
    if n := states.get("held", 0):
        remedy = "keywatch actions list --state held, then `actions approve` or `reject`"
        yield Check("actions", WARN, f"{n} actions wait for a person", remedy)
    if not states.get("dead") and not states.get("held"):
        yield Check("actions", OK, f"{sum(states.values())} in the outbox, none waits for a person")


def _progress(connection: Connection) -> Iterator[Check]:
    newest = connection.scalar(select(func.max(positions.c.updated_at)))
    totals = counters.all_of(connection)
    lost = int(connection.scalar(select(func.count()).select_from(dead_letters)) or 0)
    if newest is None:
        yield Check("pipeline", WARN, "nothing was ever watched", "keywatch watch, or serve all")
    elif time.time() - newest > _SILENT_S:
        said = f"nothing was committed for {(time.time() - newest) / 3600:.1f} hours"
        yield Check("pipeline", WARN, said, "is `keywatch watch` running, and is there traffic?")
    else:
        yield Check("pipeline", OK, f"{totals.get('events_committed', 0)} events committed")
    read = totals.get("events_read", 0)
    if lost and lost * 20 > read:
        said = f"{lost} of {read} lines were no events"
        yield Check(
            "dead letters", WARN, said, "keywatch doctor --access-log FILE names the format"
        )


def _policy(settings: Settings) -> Iterator[Check]:
    from keywatch import wiring  # noqa: PLC0415  (only who looks at everything needs it)

    policy, enabled = wiring.policy(settings), wiring.enabled(settings)
    wiring.executor(settings, engine_of("sqlite://"))
    names = {"log", *(one.name for one in settings.notify)}
    told = {name for case in policy.cases for name in case.notify} | set(policy.guards.notify)
    known = f"{len(policy.cases)} cases, digest {policy.digest}"
    yield Check("policy", OK, f"{settings.actions.policy or 'the built-in one'}: {known}")
    if missing := sorted(told - names - {"owner"}):
        said = f"{', '.join(missing)} would be told, but is no notifier: the log is told instead"
        yield Check("notifiers", WARN, said, "add [[notify]] tables of these names")
    if enabled:
        yield Check("actions enabled", OK, ", ".join(sorted(enabled)))
    else:
        remedy = 'when you trust it: [actions] enabled = ["throttle", "revoke"]'
        yield Check("actions enabled", WARN, "none: it is shown what would be done", remedy)


def _sources(settings: Settings) -> Iterator[Check]:
    if not settings.sources and not settings.gateway.events:
        remedy = "add [[sources]], set gateway.events, or run `keywatch serve all`"
        yield Check("sources", WARN, "no source of events is configured", remedy)
    for source in settings.sources:
        if source.type == "file" and source.path and not any(mark in source.path for mark in "*?["):
            yield _readable("source", Path(source.path))
        elif source.type == "kafka":
            yield from (_reached("kafka", *_address(one, 9092)) for one in source.brokers)


def _places(settings: Settings) -> Iterator[Check]:
    for name in ("city", "asn"):
        if file := getattr(settings.geoip, name):
            yield _readable(f"geoip.{name}", Path(file))
    if not settings.geoip.asn:
        said = "no ASN database: networks are told apart by prefix and country only"
        yield Check("geoip", WARN, said, "set geoip.asn to a MaxMind or DB-IP file")


def _gateway(settings: Settings) -> Iterator[Check]:
    gateway = settings.gateway
    if gateway.trusted_proxies:
        yield Check("proxies", OK, f"{', '.join(gateway.trusted_proxies)} are believed")
        return
    remedy = "name your proxies' addresses in gateway.trusted_proxies"
    if gateway.certificate_header:
        said = "client certificates are believed from trusted proxies alone, and there are none"
        yield Check("proxies", FAIL, said, remedy)
    elif not gateway.upstream:
        said = "no proxy is trusted: what one asks on /auth or /verify is refused"
        yield Check("proxies", WARN, said, remedy)


def _services(settings: Settings) -> Iterator[Check]:
    if settings.gateway.redis:
        parts = urlsplit(settings.gateway.redis)
        yield _reached("redis", parts.hostname or "localhost", parts.port or 6379)
    if settings.gateway.upstream:
        parts = urlsplit(settings.gateway.upstream)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        yield _reached("gateway.upstream", parts.hostname or "localhost", port)


def _console(settings: Settings) -> Iterator[Check]:
    console = settings.console
    for name in ("tls_certificate", "tls_key"):
        if file := getattr(console, name):
            yield _readable(f"console.{name}", Path(file))
    if bool(console.tls_certificate) != bool(console.tls_key):
        yield Check("console", FAIL, "a certificate needs its key, and a key its certificate",
                    "set both tls_certificate and tls_key")  # fmt: skip


def _packages(settings: Settings) -> Iterator[Check]:
    """Name what is configured and not installed."""
    wanted = {
        "console": (True, ("starlette", "jinja2", "argon2")),
        "kafka": (any(one.type == "kafka" for one in settings.sources), ("kafka",)),
        "postgres": (settings.database.startswith("postgres"), ("psycopg",)),
        "redis": (bool(settings.gateway.redis), ("redis",)),
        "tokens": (
            bool(settings.issuers) or bool(settings.gateway.certificate_header),
            ("jwt", "cryptography"),
        ),
        "aws": (any(one.type == "aws" for one in settings.stores), ("boto3",)),
    }
    lacking = 0
    for extra, (is_wanted, modules) in wanted.items():
        missing = [module for module in modules if is_wanted and find_spec(module) is None]
        if missing:
            lacking += 1
            state = WARN if extra == "console" else FAIL
            said = f"{', '.join(missing)} is not installed"
            yield Check("packages", state, said, f"install keywatch[{extra}]")
    if not lacking:
        yield Check("packages", OK, "everything that is configured is installed")


def _programs(settings: Settings) -> Iterator[Check]:
    del settings
    if shutil.which("git") is None:
        yield Check("git", WARN, "git is not installed", "histories can be scanned only with it")
    else:
        yield Check("git", OK, "is there")


def _readable(about: str, file: Path) -> Check:
    if not file.exists():
        return Check(about, FAIL, f"{file}: there is no such file", "correct its path")
    if not os.access(file, os.R_OK):
        return Check(about, FAIL, f"{file}: it may not be read", "give keywatch's user access")
    return Check(about, OK, str(file))


def _reached(about: str, host: str, port: int) -> Check:
    try:
        socket.create_connection((host, port), _PATIENCE_S).close()
    except OSError as error:
        said = f"{host}:{port}: {error.strerror or error}"
        return Check(about, FAIL, said, "start it, or correct the address")
    return Check(about, OK, f"{host}:{port} answers")


def _address(text: str, port: int) -> tuple[str, int]:
    host, _, given = text.rpartition(":")
    return (host, int(given)) if host and given.isdigit() else (text, port)


_LOOKS: tuple[tuple[str, Look], ...] = (
    ("database", _database),
    ("policy", _policy),
    ("sources", _sources),
    ("geoip", _places),
    ("proxies", _gateway),
    ("services", _services),
    ("console", _console),
    ("packages", _packages),
    ("git", _programs),
)
