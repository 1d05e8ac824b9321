"""Logging in through an OpenID provider: the authorization code flow with PKCE.

OpenID Connect Core 1.0, 3.1; RFC 7636 (S256); RFC 9700. An id token is believed when its signature
is by a key of the provider, of an algorithm that was allowed, for us, in time, and with our nonce.
"""

import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import msgspec

from keystore.jwks import Jwks, jwks_of
from keystore.web import Site, basic
from keywatch.config_console import OidcSettings
from keywatch.people.login import LoginError
from keywatch.people.roles import Role
from vocabulary.errors import ConfigError, ServiceError

ALGORITHMS = ("RS256", "ES256", "EdDSA")
FLOW_S = 600.0
_MOST_FLOWS = 10_000
_LEEWAY_S = 30
_WHERE = "console.oidc"
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class Endpoints(msgspec.Struct, frozen=True):
    """What the provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A login that has begun: what must come back, and where to go on."""

    state: str
    nonce: str
    verifier: str
    next: str
    until: float


@dataclass(frozen=True, slots=True)
class Known:
    """Who the provider says it is: a name, an origin that never changes, and their role."""

    name: str
    origin: str
    role: Role


class Provider:
    """An OpenID provider, and the logins through it that have begun.

    Args:
        settings: see `OidcSettings`.
        back: address to which it sends people back.
        clock: epoch seconds.
    """

    def __init__(
        self, settings: OidcSettings, back: str, clock: Callable[[], float] = time.time
    ) -> None:
        if not settings.client_id:
            raise ConfigError("the provider knows us by no name", where=f"{_WHERE}.client_id")
        self.settings, self._back, self._clock = settings, back, clock
        self._flows: dict[str, Flow] = {}
        self._lock = Lock()
        self._endpoints: Endpoints | None = None
        self._keys: Jwks | None = None

    def begin(self, next_: str) -> tuple[str, str]:
        """Return what goes into a cookie, and where to send the browser.

        Raises:
            ServiceError: when the provider does not say where that is.
        """
        ends = self._discovered()
        cookie, now = secrets.token_urlsafe(32), self._clock()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        flow = Flow(state, nonce, verifier, next_, now + FLOW_S)
        with self._lock:
            self._flows = {name: one for name, one in self._flows.items() if one.until > now}
            # Anybody may begin one: who begins thousands must not keep others out for minutes.
            while len(self._flows) >= _MOST_FLOWS:
                del self._flows[next(iter(self._flows))]
            self._flows[cookie] = flow
        challenge = urlsafe_b64encode(sha256(flow.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self._back,
            "scope": " ".join(self.settings.scopes),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        joined = "&" if "?" in ends.authorization_endpoint else "?"
        return cookie, f"{ends.authorization_endpoint}{joined}{urlencode(asked)}"

    def end(self, cookie: str, answer: Mapping[str, str]) -> tuple[Known, str]:
        """Return who came back, and where they wanted to go; a flow serves once.

        Raises:
            LoginError: when they did not begin here, were refused, or have no role.
            ServiceError: when the provider cannot be asked.
        """
        with self._lock:
            flow = self._flows.pop(cookie, None)
        if flow is None or flow.until <= self._clock():
            raise LoginError("this login has not begun here, or too long ago", remedy="try again")
        if not hmac.compare_digest(answer.get("state", "").encode(), flow.state.encode()):
            raise LoginError("this is not the login that has begun", remedy="try again")
        if "code" not in answer:
            raise LoginError("the provider let nobody in")
        claims = self._claims(self._exchanged(answer["code"], flow), flow.nonce)
        return self._known(claims), flow.next

    def _discovered(self) -> Endpoints:
        """Return the provider's endpoints; they are asked for once."""
        if self._endpoints is None:
            url = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            answer = Site(url, f"{_WHERE}.issuer").ask("GET")
            try:
                found = msgspec.json.decode(answer.body, type=Endpoints)
            except (msgspec.DecodeError, RecursionError):
                raise ServiceError("this is no OpenID provider", where=f"{_WHERE}.issuer") from None
            if not answer.is_ok or found.issuer != self.settings.issuer:
                raise ServiceError("the provider calls itself otherwise", where=f"{_WHERE}.issuer")
            self._keys = jwks_of(found.jwks_uri, "console.oidc")
            self._endpoints = found
        return self._endpoints

    def _exchanged(self, code: str, flow: Flow) -> str:
        """Return the id token that a code is worth."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": flow.verifier,
        }
        secret = self.settings.client_secret
        known = basic(self.settings.client_id, secret) if secret else {}
        if not known:
            form["client_id"] = self.settings.client_id
        site = Site(self._discovered().token_endpoint, f"{_WHERE}.issuer")
        answer = site.ask("POST", "", urlencode(form).encode(), {**_FORM, **known})
        try:
            token = msgspec.json.decode(answer.body, type=dict[str, Any]).get("id_token")
        except (msgspec.DecodeError, RecursionError):
            token = None
        if not answer.is_ok or not isinstance(token, str):
            raise LoginError("the provider did not say who it is")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        import jwt  # noqa: PLC0415  (an extra)

        assert self._keys is not None
        try:
            header = jwt.get_unverified_header(token)
            found = self._keys.key(str(header.get("kid") or ""))
            if found is None or header.get("alg") not in ALGORITHMS:
                raise LoginError("the provider's answer is signed by nobody we know")
            claims: dict[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(dict(found), algorithm=header["alg"]).key,
                algorithms=[header["alg"]],
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise LoginError(f"the provider's answer is not good: {type(error).__name__}") from None
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if (several or "azp" in claims) and claims.get("azp") != self.settings.client_id:
            raise LoginError("the provider's answer is for somebody else")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise LoginError("the provider's answer is to another question")
        return claims

    def _known(self, claims: Mapping[str, Any]) -> Known:
        said = claims.get(self.settings.groups_claim, [])
        groups = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        mapped = [self.settings.roles[g] for g in groups if g in self.settings.roles]
        best = max((list(Role).index(Role(role)) for role in mapped), default=-1)
        if best < 0:
            raise LoginError("your groups have no role here", remedy="ask who runs keywatch")
        name = str(claims.get(self.settings.name_claim) or claims["sub"]).lower()
        return Known(name, f"{self.settings.issuer}#{claims['sub']}", list(Role)[best])
