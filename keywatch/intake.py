"""The ways into the queue of repository events: a webhook server, and a topic."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from database.transaction import transaction
from keywatch.config_streams import RepositorySettings
from streams import checkpoint, deadletter, repoqueue
from streams.asgi import Application
from streams.chunk import Chunk
from streams.repository import repo_events
from vocabulary.errors import ConfigError


def queue_up(engine: Engine, chunk: Chunk, now: float) -> None:
    """Put the repository events of a chunk into the queue, together with its position."""
    events, rejected = repo_events(chunk.lines, now)
    letters = [(chunk.place(line), reason, chunk.lines[line]) for line, reason in rejected]
    with transaction(engine) as connection:
        for event in events:
            repoqueue.put(connection, event)
        deadletter.keep(connection, chunk.source, letters, now)
        checkpoint.save(connection, chunk.source, chunk.position, now)


@contextmanager
def intake(
    engine: Engine, settings: RepositorySettings, tell: Callable[[str], None]
) -> Iterator[None]:
    """Take in webhooks while the block runs, where a port is configured.

    Raises:
        ConfigError: a port without a secret: everybody could have repositories scanned.
        ServiceError: the address is taken.
    """
    if not settings.port:
        yield
        return
    if not settings.github_secret:
        raise ConfigError(
            "webhooks need a secret",
            where="repositories.github_secret",
            remedy="set it, as on GitHub",
        )
    from streams.webhook import app  # noqa: PLC0415  (only where webhooks are taken in)

    application = app(engine, [settings.github_secret], tell=tell)
    with serving(application, settings.host, settings.port):
        tell(f"taking in webhooks on http://{settings.host}:{settings.port}/webhooks/github")
        yield


@contextmanager
def serving(application: Application, host: str, port: int) -> Iterator[int]:
    """Serve an application in a thread while the block runs; yields the port.

    Raises:
        ServiceError: when the address cannot be had.
    """
    import uvicorn  # noqa: PLC0415  (only where something is served)

    from gateway.server import config_of, listening  # noqa: PLC0415  (likewise)

    listener = listening(host, port)
    server = uvicorn.Server(config_of(application))
    thread = threading.Thread(target=server.run, args=([listener],), name="intake", daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
