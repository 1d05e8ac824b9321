"""What a scan of a push came to, as a check run on its commit, as a GitHub App writes it.

https://docs.github.com/en/rest/checks/runs and
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from keystore.web import Answer, Site
from keywatch.config_streams import RepositorySettings
from scanner.printable import printable
from scanner.reports import find, summary
from scanner.run import Report
from vocabulary.errors import ConfigError, ServiceError
from vocabulary.finding import Finding
from vocabulary.moments import rfc3339
from vocabulary.repository import RepoEvent

T = TypeVar("T")

NAME = "keywatch"
PER_REQUEST = 50
"""Annotations that GitHub takes with one request."""

MOST = 1000
"""Annotations of one check run; the summary tells of the rest."""

LONGEST = 60_000
"""Characters of a summary or message, below GitHub's 65,535."""

_PATH = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_REFUSED = (401, 403, 404)
_WHERE = "repositories.github_checks"
_JWT_S, _EARLY_S = 540, 60
_WORSE = ("critical", "high")


class CheckRuns:
    """Writes check runs.

    Args:
        settings: with the URL of GitHub's API, and a token or an App's id and key.
        link: of the console; empty for none.
        clock: epoch seconds.

    Raises:
        ConfigError: when there is nothing to authenticate with.
    """

    def __init__(
        self, settings: RepositorySettings, link: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._site = Site(settings.github_api, _WHERE)
        self._token, self._app, self._link, self._clock = settings.github_token, None, link, clock
        if settings.github_app:
            self._app = App(self._site, settings.github_app, settings.github_app_key, clock)
        elif not settings.github_token:
            raise ConfigError(
                "check runs need `github_app` and `github_app_key`, or `github_token`", where=_WHERE
            )

    def report(self, event: RepoEvent, report: Report) -> bool:
        """Write the check run of a push; False where there is none to be written.

        Raises:
            ServiceError: when GitHub was not reached or did not take it; it may later.
            ConfigError: when it is not allowed, which asking again does not change.
        """
        repository = repository_of(event)
        if not repository or not event.after.strip("0"):
            return False
        runs = f"/repos/{repository}/check-runs"
        marks = list(annotations(report.findings))[:MOST]
        first, *rest = [marks[n : n + PER_REQUEST] for n in range(0, len(marks), PER_REQUEST)] or [
            []
        ]
        body = self._begun(event, report)
        answer = self._ask(repository, "POST", runs, {**body, "output": _output(report, first)})
        with suppress(msgspec.MsgspecError):
            number = msgspec.json.decode(answer.body, type=_Run).id
            for more in rest:
                told = {"output": _output(report, more)}
                self._ask(repository, "PATCH", f"{runs}/{number}", told)
        return True

    def _begun(self, event: RepoEvent, report: Report) -> dict[str, Any]:
        fields = {
            "name": NAME,
            "head_sha": event.after,
            "status": "completed",
            "conclusion": conclusion(report),
            "completed_at": rfc3339(self._clock()),
            "external_id": event.delivery,
        }
        return fields | ({"details_url": f"{self._link}/leaks"} if self._link else {})

    def _ask(self, repository: str, method: str, path: str, body: Mapping[str, Any]) -> Answer:
        token = self._app.token(repository) if self._app else self._token
        answer = self._site.ask(method, path, msgspec.json.encode(body), _headers(token))
        return _taken(answer, f"{method} {path}")


class App:
    """A GitHub App: its own token is signed by its key, an installation's lasts an hour.

    Args:
        site: GitHub's API.
        app: its id, or client id.
        key_file: its private key (PEM).
        clock: epoch seconds.

    Raises:
        ConfigError: when the key cannot be read, or `keywatch[tokens]` is missing.
    """

    def __init__(self, site: Site, app: str, key_file: str, clock: Callable[[], float]) -> None:
        try:
            import jwt  # noqa: PLC0415  (an extra)
        except ImportError:
            raise ConfigError(
                "a GitHub App signs its tokens", where=_WHERE, remedy="install keywatch[tokens]"
            ) from None
        try:
            self._key = Path(key_file).read_text("ascii")
        except (OSError, ValueError):
            raise ConfigError(
                "its key cannot be read", where="repositories.github_app_key"
            ) from None
        self._site, self._app, self._clock, self._sign = site, app, clock, jwt.encode
        self._kept: dict[str, tuple[str, float]] = {}

    def __repr__(self) -> str:
        """Return nothing of the key."""
        return f"App({self._app})"

    def token(self, repository: str) -> str:
        """Return a token of the App's installation on a repository.

        Raises:
            ServiceError, ConfigError: as `CheckRuns.report`.
        """
        token, until = self._kept.get(repository, ("", 0.0))
        if self._clock() < until:
            return token
        own = _headers(self._own())
        where = f"/repos/{repository}/installation"
        found = _decoded(_taken(self._site.ask("GET", where, headers=own), where), _Run)
        where = f"/app/installations/{found.id}/access_tokens"
        made = _decoded(_taken(self._site.ask("POST", where, b"{}", own), where), _Token)
        self._kept = {**self._kept, repository: (made.token, self._clock() + 3600 - 5 * _EARLY_S)}
        return made.token

    def _own(self) -> str:
        now = int(self._clock())
        claims = {"iat": now - _EARLY_S, "exp": now + _JWT_S, "iss": self._app}
        try:
            return self._sign(claims, self._key, algorithm="RS256")
        except Exception:  # noqa: BLE001  (whatever is wrong with a key; its words may hold it)
            raise ConfigError("this is no RSA key", where="repositories.github_app_key") from None


class _Run(msgspec.Struct):
    id: int


class _Token(msgspec.Struct):
    token: str


def repository_of(event: RepoEvent) -> str:
    """Return owner/name of a repository that GitHub told of; empty for any other."""
    if event.forge != "github":
        return ""
    address = event.repository
    path = urlsplit(address).path if "://" in address else address.partition(":")[2] or address
    name = "/".join(path.removesuffix("/").removesuffix(".git").split("/")[-2:])
    return name if _PATH.fullmatch(name) and ".." not in name else ""


def conclusion(report: Report) -> str:
    """Say how a scan ended, in GitHub's words: what could not be scanned is no success."""
    if report.findings:
        return "failure"
    return "action_required" if report.receipt.incomplete else "success"


def annotations(findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    """Yield a mark a place of the findings, the worst finding first; secrets are redacted."""
    order = {name: number for number, name in enumerate(("critical", "high", "medium", "low"))}
    for finding in sorted(findings, key=lambda one: order.get(one.severity, len(order))):
        for place in finding.places:
            line = max(place.line, 1)
            yield {
                "path": printable(place.path)[:1000] or "unknown",
                "start_line": line,
                "end_line": max(place.end_line, line),
                "annotation_level": "failure" if finding.severity in _WORSE else "warning",
                "title": printable(f"{finding.severity}: {finding.name}")[:255],
                "message": printable(_message(finding, place.commit))[:LONGEST],
            }


def _message(finding: Finding, commit: str) -> str:
    key = (
        f"It is {finding.key_id} of your key store, {finding.key_state}. " if finding.key_id else ""
    )
    at = f"Introduced by {commit[:12]}. " if commit else ""
    return (
        f"{finding.secret} ({finding.rule}, {finding.confidence} confidence). {key}{at}"
        f"Replace it first; taking it out of the file leaves it in the history. "
        f"Fingerprint {finding.fingerprint}."
    )


def _output(report: Report, marks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    written = StringIO()
    find("markdown")(report, written)
    return {
        "title": printable(summary(report))[:255],
        "summary": written.getvalue()[:LONGEST],
        "annotations": list(marks),
    }


def _headers(token: str) -> dict[str, str]:
    return {
        "Accept": "application/vnd.github+json",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def _taken(answer: Answer, what: str) -> Answer:
    if answer.is_ok:
        return answer
    said = f"GitHub answered {answer.status} to {what}"
    if answer.status in _REFUSED and "retry-after" not in answer.headers:
        remedy = "give the App or token write access to checks of this repository"
        raise ConfigError(said, where=_WHERE, remedy=remedy)
    raise ServiceError(said, where=_WHERE)


def _decoded(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.MsgspecError:
        raise ServiceError("GitHub's answer is not what it documents", where=_WHERE) from None
