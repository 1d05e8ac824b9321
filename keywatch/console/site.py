"""The site as one application: API, health, metrics, and the pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio.to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from keywatch.api.app import mounted
from keywatch.api.problems import problem_of
from keywatch.console import deeds, doors, elsewhere, pages
from keywatch.console.drawing import STATIC, environment
from keywatch.console.elsewhere import provider_of
from keywatch.console.news import MOST_STREAMS, News, Welcome
from keywatch.console.plumbing import plumbing
from keywatch.console.protection import App, protected
from keywatch.console.visit import ForeignError, House, Visit, form_of, refuse_foreign
from keywatch.desk.desk import Desk
from keywatch.people.oidc import Provider
from keywatch.people.roles import scope_of
from keywatch.people.sessions import Session
from vocabulary.errors import KeywatchError

Endpoint = Callable[[Request], Awaitable[Response]]
View = Callable[[Visit], Response]
Form = Callable[[Visit, dict[str, str]], Response]

_THREADS = 8
"""Requests that are worked on at once; each holds a connection to the database."""


class Page(NamedTuple):
    """A page: where, for whom, what draws it, and what sensitive matter it shows."""

    path: str
    scope: str
    view: View
    views: str = ""


PAGES = (
    Page("/", "status:read", pages.overview),
    Page("/incidents", "incidents:read", pages.incidents, "incidents"),
    Page("/incidents/{id}", "incidents:read", pages.incident, "incident {id}"),
    Page("/keys", "keys:read", pages.keys),
    Page("/keys/{id}", "keys:read", pages.key, "key {id}"),
    Page("/actions", "actions:read", pages.actions),
    Page("/leaks", "findings:read", pages.leaks, "findings"),
    Page("/leaks/{id}", "findings:read", pages.leak, "findings"),
    Page("/sources", "sources:read", pages.sources, "dead letters"),
    Page("/policy", "policy:read", pages.policy),
    Page("/audit", "audit:read", pages.audit, "audit log"),
    Page("/people", "people:read", pages.people, "people"),
    Page("/account", "", doors.account),
)


def site(desk: Desk) -> App:
    """Return the application."""
    provider = provider_of(desk.settings.console, desk.clock)
    oidc = provider.settings.name if provider else ""
    house = House(desk, environment(desk.clock), is_https(desk), oidc)
    routes = [
        *plumbing(desk),
        mounted(desk),
        Mount("/static", StaticFiles(directory=STATIC)),
        *_doors(house),
        *(_elsewhere(house, provider) if provider else ()),
        Route("/events", _events(house)),
        *(Route(one.path, _page(house, one)) for one in PAGES),
        *(_deed(house, thing, verb) for thing, verb in deeds.DEEDS),
        Route("/keys/{id}/rotate", _posted(house, "keys:rotate", deeds.rotate), methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        lifespan=_bounded,
        exception_handlers={HTTPException: _nowhere(house), ForeignError: _foreign(house)},
    )
    return protected(app, is_https=house.is_https)


def is_https(desk: Desk) -> bool:
    """Whether people reach it by TLS, its own or a proxy's."""
    console = desk.settings.console
    return bool(console.tls_certificate) or console.url.startswith("https://")


def _doors(house: House) -> list[Route]:
    async def ask(request: Request) -> Response:
        return await run_in_threadpool(doors.ask, house, request)

    async def enter(request: Request) -> Response:
        form = await form_of(request)
        refuse_foreign(request, form, None)
        return await run_in_threadpool(doors.enter, house, request, form)

    return [
        Route("/login", ask, methods=["GET"]),
        Route("/login", enter, methods=["POST"]),
        Route("/logout", _posted(house, "", doors.leave), methods=["POST"]),
        Route("/account", _posted(house, "", doors.change), methods=["POST"]),
    ]


def _elsewhere(house: House, provider: Provider) -> list[Route]:
    async def begin(request: Request) -> Response:
        return await run_in_threadpool(elsewhere.begin, house, provider, request)

    async def back(request: Request) -> Response:
        return await run_in_threadpool(elsewhere.back, house, provider, request)

    return [Route("/oidc/start", begin), Route("/oidc/back", back)]


def _page(house: House, page: Page) -> Endpoint:
    """Return a page for who is logged in and may see it."""

    def seen(visit: Visit) -> Response:
        answer = page.view(visit)
        if page.views:
            visit.desk.viewed(visit.person, page.views.replace("{id}", visit.about))
        return answer

    def look(request: Request) -> Response:
        session = house.session(request)
        if session is None:
            return doors.to_login(request)
        return _answered(Visit(house, request, session), page.scope, seen)

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(look, request)

    return endpoint


def _posted(house: House, scope: str, act: Form) -> Endpoint:
    """Return what takes a form from who is logged in and may do it."""

    def do(request: Request, form: dict[str, str], session: Session) -> Response:
        return _answered(Visit(house, request, session), scope, lambda visit: act(visit, form))

    async def endpoint(request: Request) -> Response:
        session = await run_in_threadpool(house.session, request)
        if session is None:
            return doors.to_login(request)
        form = await form_of(request)
        refuse_foreign(request, form, session)
        return await run_in_threadpool(do, request, form, session)

    return endpoint


def _deed(house: House, thing: str, verb: str) -> Route:
    def act(visit: Visit, form: dict[str, str]) -> Response:
        return deeds.carry_out(visit, form, thing, verb)

    path = f"/{thing}/{{id}}/{verb}"
    return Route(path, _posted(house, scope_of(thing, "write"), act), methods=["POST"])


def _answered(visit: Visit, scope: str, view: View) -> Response:
    if not visit.person.may(scope):
        refusal = f"a {visit.person.role} may not do this"
        return visit.house.problem(403, "Not allowed", refusal, visit)
    try:
        return view(visit)
    except KeywatchError as error:
        status, said = problem_of(error)
        return visit.house.problem(status, "It cannot be shown", said.error.message, visit)


def _events(house: House) -> Endpoint:
    news = News(house.desk)

    async def endpoint(request: Request) -> Response:
        if await run_in_threadpool(house.session, request) is None:
            return PlainTextResponse("log in first", 401)
        if news.streams >= MOST_STREAMS:
            return PlainTextResponse("too many pages are open", 503)
        welcome = Welcome(lambda: house.session(request, touch=False) is not None)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(news.stream(welcome), 200, headers, "text/event-stream")

    return endpoint


def _nowhere(house: House) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        del request
        assert isinstance(error, HTTPException)
        return house.problem(error.status_code, "There is no such page", error.detail)

    return answer


def _foreign(house: House) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        del request
        return house.problem(403, "Not done", str(error))

    return answer


@asynccontextmanager
async def _bounded(app: Starlette) -> AsyncIterator[None]:
    del app
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
