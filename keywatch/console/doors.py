"""Logging in and out, and changing one's own password."""

from math import ceil
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from database.transaction import reading, transaction
from keywatch.console.visit import House, Visit, within
from keywatch.people import passwords, sessions, users
from keywatch.people.login import GuessedError, LoginError, log_in
from vocabulary.errors import UsageError


def ask(house: House, request: Request) -> Response:
    """Show the form, or go on for who is logged in."""
    next_ = within(request.query_params.get("next", "/"))
    if house.session(request):
        return RedirectResponse(next_, 303)
    return _form(house, next_)


def enter(house: House, request: Request, form: dict[str, str]) -> Response:
    """Let in who knows their password."""
    next_, name = within(form.get("next", "/")), form.get("name", "")[:64]
    place, now = house.place(request), house.desk.clock()
    try:
        token = log_in(house.desk.engine, name, form.get("password", ""), place, now)
    except LoginError as error:
        answer = _form(house, next_, wrong=str(error), name=name, status=403)
        return _slowed(answer, error)
    return with_cookie(house, RedirectResponse(next_, 303), token)


def with_cookie(house: House, answer: Response, token: str) -> Response:
    """Give the session's cookie along; scripts cannot read it, and other sites not send it."""
    answer.set_cookie(
        house.cookie, token, path="/", secure=house.is_https, httponly=True, samesite="lax"
    )
    return answer


def leave(visit: Visit, form: dict[str, str]) -> Response:
    """End the session."""
    del form
    house = visit.house
    with transaction(house.desk.engine) as connection:
        sessions.end(connection, visit.request.cookies.get(house.cookie, ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(house.cookie, path="/", secure=house.is_https, httponly=True)
    answer.headers["clear-site-data"] = '"cache"'
    return answer


def account(visit: Visit, wrong: str = "", status: int = 200) -> Response:
    """Show one's own account."""
    with reading(visit.desk.engine) as connection:
        has_password = not users.get(connection, visit.person.actor).origin
    title = visit.person.actor
    return visit.house.page(
        "account.html", title, visit=visit, status=status, wrong=wrong, has_password=has_password
    )


def change(visit: Visit, form: dict[str, str]) -> Response:
    """Change one's own password; every session of the account ends, this one too."""
    name, engine, now = visit.person.actor, visit.desk.engine, visit.desk.clock()
    try:
        token = log_in(engine, name, form.get("old", ""), visit.house.place(visit.request), now)
        passwords.check(form.get("new", ""), name)
    except (LoginError, UsageError) as error:
        return _slowed(account(visit, str(error), 400), error)
    with transaction(engine) as connection:
        sessions.end(connection, token)
    known = passwords.hashed(form["new"])
    with transaction(engine) as connection:
        users.set_password(connection, name, known, actor=name, now=now)
    return RedirectResponse("/login", 303)


def to_login(request: Request) -> Response:
    """Send somebody to the form, and back afterwards to where they wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    there = wanted if request.method == "GET" else "/"
    return RedirectResponse(f"/login?next={quote(there, safe='')}", 303)


def _slowed(answer: Response, error: Exception) -> Response:
    """Say to a program, too, when it may guess again."""
    if isinstance(error, GuessedError):
        answer.status_code = 429
        answer.headers["retry-after"] = str(ceil(error.wait_s))
    return answer


def _form(
    house: House, next_: str, *, wrong: str = "", name: str = "", status: int = 200
) -> Response:
    return house.page(
        "login.html",
        "Log in",
        status=status,
        next=next_,
        wrong=wrong,
        name=name,
        oidc=house.oidc,
    )
