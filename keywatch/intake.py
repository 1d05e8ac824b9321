"""The ways into the queue of repository events: a webhook server, and a topic."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from database.transaction import transaction
from keywatch.config import RepositorySettings
from streams import checkpoint, deadletter, repoqueue
from streams.chunk import Chunk
from streams.repository import repo_events
from vocabulary.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    import uvicorn

_HEADER_TIMEOUT_S = 10


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
    server, listener = _server(engine, settings, tell)
    thread = threading.Thread(target=server.run, args=([listener],), name="intake", daemon=True)
    thread.start()
    tell(f"taking in webhooks on http://{settings.host}:{settings.port}/webhooks/github")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _server(
    engine: Engine, settings: RepositorySettings, tell: Callable[[str], None]
) -> "tuple[uvicorn.Server, socket.socket]":
    import uvicorn  # noqa: PLC0415  (only where webhooks are taken in)

    from streams.webhook import app  # noqa: PLC0415  (likewise)

    try:
        listener = socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise ServiceError(
            f"cannot listen: {(error.strerror or str(error)).lower()}",
            where=f"{settings.host}:{settings.port}",
        ) from error
    config = uvicorn.Config(
        app(engine, [settings.github_secret], tell=tell),
        access_log=False,
        log_level="error",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_HEADER_TIMEOUT_S,
    )
    return uvicorn.Server(config), listener
