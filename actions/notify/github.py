"""GitHub: an incident is an issue; what follows are its comments, and it is closed in the end.

https://docs.github.com/en/rest/issues. Texts stand in fenced blocks, in which nothing is a
mention, a link or HTML.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from actions.telling.escape import fenced
from actions.telling.web import Site, object_of
from actions.telling.words import Words, writer_of
from vocabulary.errors import ConfigError

API = "https://api.github.com"
_REPOSITORY = re.compile(r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")
_TITLE = 200
_OVER = {"resolved": "completed", "false": "not_planned"}


def make(options: Mapping[str, Any]) -> "GitHub":
    """Return the notifier of a `repository` and a token as `secret`.

    Raises:
        ConfigError: when either is missing or wrong.
    """
    return GitHub(options)


class GitHub:
    """Opens issues in one repository; it ought to be a private one."""

    threaded = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        where = f"notify.{options.get('name', '')}"
        repository, token = options.get("repository", ""), options.get("secret", "")
        if not _REPOSITORY.fullmatch(repository) or not token:
            raise ConfigError(
                "GitHub needs a `repository` (owner/name), and a token as `secret`", where=where
            )
        self._site = Site(options.get("url") or API, where)
        self._issues = f"/repos/{repository}/issues"
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._writer = writer_of(options)

    def __call__(
        self,
        message: Mapping[str, Any],
        idempotency_key: str,
        now: float,
        thread: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Open an issue, or comment on the one that there is; return its number.

        Raises:
            ServiceError: when GitHub did not take it.
        """
        del now
        words = self._writer.write(message)
        body = _body(words, idempotency_key)
        if not thread:
            issue = {"title": words.title[:_TITLE], "body": body, "labels": ["keywatch"]}
            number = self._send("POST", self._issues, issue).get("number")
            return {"number": number} if isinstance(number, int) else {}
        issue_path = f"{self._issues}/{int(thread['number'])}"
        self._send("POST", f"{issue_path}/comments", {"body": body})
        if words.event in _OVER:
            closed = {"state": "closed", "state_reason": _OVER[words.event]}
            self._send("PATCH", issue_path, closed)
        return dict(thread)

    def _send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._site.send(msgspec.json.encode(body), self._headers, method, path)
        return object_of(answer)


def _body(words: Words, idempotency_key: str) -> str:
    link = f"\n\n<{words.link}>" if words.link else ""
    return f"{fenced(f'{words.title}{chr(10)}{words.body}')}{link}\n\n<!-- {idempotency_key} -->"
