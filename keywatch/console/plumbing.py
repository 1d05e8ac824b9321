"""What machines ask of the site: whether it lives, whether it is ready, and its figures."""

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from database.transaction import reading
from keywatch import metrics
from keywatch.api.app import holder
from keywatch.api.problems import RefusedError
from keywatch.console.protection import is_loopback
from keywatch.desk.desk import Desk
from streams.failing import failing
from vocabulary.errors import DatabaseError

_VERSION = "text/plain; version=0.0.4"


def plumbing(desk: Desk) -> list[Route]:
    """Return the routes."""
    return [
        Route("/healthz", _alive),
        Route("/readyz", _ready(desk)),
        Route("/metrics", _metrics(desk)),
    ]


async def _alive(request: Request) -> Response:
    del request
    return JSONResponse({"status": "ok"})


def _ready(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    async def ready(request: Request) -> Response:
        del request
        try:
            failed = await run_in_threadpool(_failed_sources, desk)
        except DatabaseError:
            return JSONResponse({"status": "the database cannot be read"}, 503)
        return JSONResponse({"status": "ok", "failed_sources": failed})

    return ready


def _failed_sources(desk: Desk) -> int:
    """Return how many there are: which ones, whoever asks here need not know."""
    with reading(desk.engine) as connection:
        return len(failing(connection, desk.clock()))


def _metrics(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    """Answer this machine, or whoever has a token that may read how it goes."""

    async def figures(request: Request) -> Response:
        try:
            if not is_local(request):
                person = await run_in_threadpool(holder, desk, request)
                if not person.may("status:read"):
                    return JSONResponse({"status": "forbidden"}, 403)
            return PlainTextResponse(await run_in_threadpool(_text, desk), media_type=_VERSION)
        except RefusedError as error:
            return JSONResponse({"status": str(error)}, error.status)
        except DatabaseError:
            return JSONResponse({"status": "the database cannot be read"}, 503)

    return figures


def _text(desk: Desk) -> str:
    with reading(desk.engine) as connection:
        return metrics.text(connection, desk.clock())


def is_local(request: Request) -> bool:
    """Whether this machine itself asks, under one of its own names, and for nobody else."""
    peer = request.client.host if request.client else ""
    named = is_loopback(request.url.hostname or "")
    return is_loopback(peer) and named and "x-forwarded-for" not in request.headers
