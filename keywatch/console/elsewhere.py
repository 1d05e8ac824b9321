"""Logging in elsewhere: to the OpenID provider and back."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from database.transaction import transaction
from keywatch.config_console import ConsoleSettings
from keywatch.console.doors import with_cookie
from keywatch.console.visit import House, within
from keywatch.people import sessions, users
from keywatch.people.oidc import FLOW_S, Provider
from vocabulary.errors import ConfigError, KeywatchError, ServiceError

COOKIE = "keywatch-login"


def begin(house: House, provider: Provider, request: Request) -> Response:
    """Send the browser to the provider."""
    try:
        cookie, there = provider.begin(within(request.query_params.get("next", "/")))
    except KeywatchError as error:
        return _refused(house, error)
    answer = RedirectResponse(there, 303)
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(FLOW_S),
        path="/oidc",
        secure=house.is_https,
        httponly=True,
        samesite="lax",
    )
    return answer


def back(house: House, provider: Provider, request: Request) -> Response:
    """Let in whom the provider vouches for."""
    try:
        known, next_ = provider.end(request.cookies.get(COOKIE, ""), dict(request.query_params))
        with transaction(house.desk.engine) as connection:
            now = house.desk.clock()
            users.vouched(connection, known.name, known.origin, known.role, now=now)
            token = sessions.start(connection, known.name, now)
    except KeywatchError as error:
        return _refused(house, error)
    answer = with_cookie(house, RedirectResponse(next_, 303), token)
    answer.delete_cookie(COOKIE, path="/oidc")
    return answer


def provider_of(settings: ConsoleSettings, clock: Callable[[], float]) -> Provider | None:
    """Return the configured provider; None when people log in here alone.

    Raises:
        ConfigError: when it is not known where people come back to.
    """
    if not settings.oidc.issuer:
        return None
    if not settings.url:
        raise ConfigError(
            "the provider must be told where to send people back",
            where="console.url",
            remedy="such as https://keywatch.example",
        )
    return Provider(settings.oidc, f"{settings.url.rstrip('/')}/oidc/back", clock)


def _refused(house: House, error: KeywatchError) -> Response:
    status = 502 if isinstance(error, ServiceError) else 403
    said = f"{error.what} ({error.remedy})" if error.remedy else error.what
    return house.problem(status, "Nobody was let in", said, back="/login")
