"""The ways into the queue of repository events: a webhook server, and a topic."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from database.transaction import transaction
from keywatch import wiring
from keywatch.config import Settings
from keywatch.fetching import fetched
from keywatch.pipeline import keep_letters
from streams import checkpoint, repoqueue
from streams.asgi import Application
from streams.chunk import Chunk
from streams.repository import repo_events
from vocabulary.credential import Cleaner
from vocabulary.errors import ConfigError

if TYPE_CHECKING:
    from keywatch.doorkeeper import Doorkeeper
    from streams.webhook import Judge


def queue_up(
    engine: Engine, chunk: Chunk, now: float, clean: Cleaner, max_letters: int = 0
) -> None:
    """Put the repository events of a chunk into the queue, together with its position.

    Args:
        engine: the database.
        chunk: of a topic of repository events.
        now: epoch seconds.
        clean: replaces secrets in what is kept as a dead letter.
        max_letters: how many of them are kept; 0 for any number.
    """
    events, rejected = repo_events(chunk.usable().lines, now)
    dead = sorted([*rejected, *chunk.refused])
    kept, _ = clean([chunk.lines[line] for line, _ in dead])
    letters = [
        (chunk.place(line), reason, raw) for (line, reason), raw in zip(dead, kept, strict=True)
    ]
    with transaction(engine) as connection:
        for event in events:
            repoqueue.put(connection, event)
        keep_letters(connection, chunk.source, letters, now, max_letters)
        checkpoint.save(connection, chunk.source, chunk.position, now)


@contextmanager
def intake(
    engine: Engine, settings: Settings, tell: Callable[[str], None], judge: "Judge"
) -> Iterator[None]:
    """Take in webhooks while the block runs, where a port is configured.

    Args:
        engine: the database.
        settings: the configuration.
        tell: called with what a person should know.
        judge: deals with secrets that others report.

    Raises:
        ConfigError: a port without a secret: everybody could have repositories scanned.
        ServiceError: the address is taken.
    """
    place = settings.repositories
    if not place.port:
        yield
        return
    secrets = {
        "github": [place.github_secret],
        "gitlab": [place.gitlab_secret],
        "gitea": [place.gitea_secret],
        "bitbucket": [place.bitbucket_secret],
    }
    known = [name for name, (secret,) in secrets.items() if secret]
    if not known and not place.partner_alerts and not place.report_tokens:
        raise ConfigError(
            "webhooks need a secret",
            where="repositories.github_secret",
            remedy="set it, as on GitHub; or that of another forge",
        )
    from keywatch.doorkeeper import Doorkeeper  # noqa: PLC0415  (see below)
    from streams.disclosure import KEYS_URL, PublicKeys  # noqa: PLC0415  (see below)
    from streams.webhook import Reports, app  # noqa: PLC0415  (only where webhooks are taken in)

    keys = PublicKeys(place.partner_keys or KEYS_URL, fetched) if place.partner_alerts else None
    reports = Reports(judge, keys, place.report_tokens, wiring.peppers(settings))
    application = app(engine, secrets, reports=reports, tell=tell)
    paths = [f"/webhooks/{name}" for name in known]
    paths += ["/alerts/github"] * place.partner_alerts + ["/leaks"] * bool(place.report_tokens)
    keeper = Doorkeeper(engine, "webhooks")
    with keeper.writing(tell), serving(keeper, application, place.host, place.port):
        tell(f"taking in {', '.join(paths)} on http://{place.host}:{place.port}")
        yield


@contextmanager
def serving(keeper: "Doorkeeper", application: Application, host: str, port: int) -> Iterator[int]:
    """Serve an application in a thread while the block runs; yields the port.

    Args:
        keeper: counts whom it turns away.
        application: what is served.
        host: address to listen on.
        port: 0 for a free one.

    Raises:
        ServiceError: when the address cannot be had.
    """
    import uvicorn  # noqa: PLC0415  (only where something is served)

    from gateway.server import config_of, listening  # noqa: PLC0415  (likewise)

    listener = listening(host, port)
    server = uvicorn.Server(config_of(keeper.watching(application), keeper.protocol))
    thread = threading.Thread(target=server.run, args=([listener],), name="intake", daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
