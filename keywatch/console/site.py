"""The site as one application: API, health, metrics, and the pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from starlette.applications import Starlette
from starlette.routing import Mount

from keywatch.api.app import api
from keywatch.console.plumbing import plumbing
from keywatch.console.protection import App, protected
from keywatch.desk.desk import Desk

_THREADS = 8
"""Requests that are worked on at once; each holds a connection to the database."""


def site(desk: Desk) -> App:
    """Return the application."""
    routes = [*plumbing(desk), Mount("/api/v1", api(desk))]
    app = Starlette(routes=routes, lifespan=_bounded)
    return protected(app, is_https=is_https(desk))


def is_https(desk: Desk) -> bool:
    """Whether people reach it by TLS, its own or a proxy's."""
    console = desk.settings.console
    return bool(console.tls_certificate) or console.url.startswith("https://")


@asynccontextmanager
async def _bounded(app: Starlette) -> AsyncIterator[None]:
    del app
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
