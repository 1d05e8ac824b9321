"""Who visits: the session behind a cookie, what its forms must carry, and what a page gets."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from database.transaction import reading, transaction
from gateway.clients import client_of, trust_in
from keywatch.desk.desk import Desk
from keywatch.people import sessions
from keywatch.people.roles import Person
from keywatch.people.sessions import Session

MAX_FORM_BYTES = 64 * 1024
_PLAIN, _SECURE = "keywatch", "__Host-keywatch"


class ForeignError(Exception):
    """A form that came from somewhere else, or from an old page."""


@dataclass(frozen=True, slots=True)
class House:
    """What every page needs.

    Attributes:
        is_https: whether cookies are for TLS alone.
        oidc: how the provider is called by which people may log in; empty for none.
    """

    desk: Desk
    drawn: Environment
    is_https: bool
    oidc: str = ""

    @property
    def cookie(self) -> str:
        """Return the name of the cookie; the prefix ties it to this host and to TLS."""
        return _SECURE if self.is_https else _PLAIN

    def session(self, request: Request, *, touch: bool = True) -> Session | None:
        """Return whose cookie the request carries; `touch` for what a person does."""
        token = request.cookies.get(self.cookie, "")
        if not token:
            return None
        now = self.desk.clock()
        with reading(self.desk.engine) as connection:
            found = sessions.find(connection, token, now)
        # a page that asks for news by itself keeps nobody logged in
        by_hand = touch and "x-requested-for" not in request.headers
        if found and found.is_stale and by_hand:
            with transaction(self.desk.engine) as connection:
                sessions.touch(connection, token, now)
        return found

    def place(self, request: Request) -> str:
        """Return the address that a request comes from."""
        peer = request.client.host if request.client else ""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        trusted = trust_in(self.desk.settings.console.trusted_proxies)
        return client_of(peer, forwarded.encode("latin-1", "replace"), trusted)

    def page(
        self,
        template: str,
        title: str,
        /,
        *,
        visit: "Visit | None" = None,
        status: int = 200,
        live: bool = False,
        **parts: Any,  # noqa: ANN401
    ) -> Response:
        """Draw a page."""
        known = {
            "title": title,
            "person": visit.person if visit else None,
            "csrf": visit.session.csrf if visit else "",
            "here": visit.section if visit else "",
            "here_now": visit.here if visit else "/",
            "said": visit.said if visit else "",
            "live": live,
        }
        text = self.drawn.get_template(template).render(known | parts)
        return HTMLResponse(text, status, {"cache-control": "no-store"})

    def problem(
        self, status: int, title: str, message: str, visit: "Visit | None" = None, back: str = "/"
    ) -> Response:
        """Draw a refusal."""
        return self.page(
            "problem.html", title, visit=visit, status=status, message=message, back=back
        )


SAID = {
    "done": "Done.",
    "same": "It was so already.",
    "noted": "Written down.",
    "second": "Approved by you; it waits for another person to approve it, too.",
    "password": "The password is changed; log in again.",
    "out": "You are logged out.",
}
"""What a page may say after a deed; nothing else is shown from an address."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is logged in."""

    house: House
    request: Request
    session: Session

    @property
    def person(self) -> Person:
        """Return who it is."""
        return self.session.person

    @property
    def desk(self) -> Desk:
        """Return what answers."""
        return self.house.desk

    @property
    def section(self) -> str:
        """Return the first part of the path, which the navigation marks."""
        return "/" + self.request.url.path.strip("/").partition("/")[0]

    @property
    def here(self) -> str:
        """Return where one is, to come back to."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query and "said=" not in query else "")

    @property
    def said(self) -> str:
        """Return what is said of what was just done."""
        return SAID.get(self.asked("said"), "")

    @property
    def about(self) -> str:
        """Return the id in the path; empty where there is none."""
        return str(self.request.path_params.get("id", ""))[:256].replace("\0", "")

    def asked(self, name: str, *allowed: str) -> str:
        """Return a parameter of the address; one that is not allowed is as if it were not there."""
        value = self.request.query_params.get(name, "")[:400].replace("\0", "")
        return value if not allowed or value in allowed else ""

    def show(self, template: str, title: str, /, **parts: Any) -> Response:  # noqa: ANN401
        """Draw a page for them."""
        return self.house.page(template, title, visit=self, **parts)


async def form_of(request: Request) -> dict[str, str]:
    """Read a form.

    Raises:
        ForeignError: when it is too large, or is none.
    """
    read = b""
    async for part in request.stream():
        read += part
        if len(read) > MAX_FORM_BYTES:
            raise ForeignError("the form is too large")
    try:
        pairs = parse_qsl(read.decode("utf-8"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise ForeignError("this is no form") from None
    return {name: value.replace("\0", "") for name, value in pairs}


def refuse_foreign(request: Request, form: Mapping[str, str], session: Session | None) -> None:
    """Refuse a form that no page of ours sent.

    Raises:
        ForeignError: when browser or form say that it came from elsewhere.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc != host):
        raise ForeignError("the form came from another site")
    if session and not hmac.compare_digest(form.get("csrf", "").encode(), session.csrf.encode()):
        raise ForeignError("the page was too old; go back and load it again")


def within(address: str) -> str:
    """Return a path of ours to go on to, the overview for anything that leads elsewhere."""
    parts = urlsplit(address)
    ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    clean = "\\" not in address and address.isprintable()
    return address if ours and clean and not parts.scheme and not parts.netloc else "/"
