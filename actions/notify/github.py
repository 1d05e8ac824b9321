"""GitHub: an incident is an issue; what follows are its comments, and it is closed in the end.

https://docs.github.com/en/rest/issues. Texts stand in fenced blocks, in which nothing is a
mention, a link or HTML.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from actions.telling.escape import fenced
from actions.telling.web import LIST_BYTES, Site, object_of
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
    looks = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        where = f"notify.{options.get('name', '')}"
        repository, token = options.get("repository", ""), options.get("secret", "")
        if not _REPOSITORY.fullmatch(repository) or not token:
            raise ConfigError(
                "GitHub needs a `repository` (owner/name), and a token as `secret`", where=where
            )
        self._site = Site(options.get("url") or API, where, most_bytes=LIST_BYTES)
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
        *,
        again: bool = False,
    ) -> dict[str, Any]:
        """Open an issue, or comment on the one that there is; return its number.

        What may have been posted before is looked for by the mark that each text ends with.

        Raises:
            ServiceError: when GitHub did not take it.
        """
        del now
        words = self._writer.write(message)
        body, since = _body(words, idempotency_key), str(message.get("timestamp", ""))
        if not thread:
            if again and (opened := self._opened(idempotency_key, since)):
                return {"number": opened}
            issue = {"title": words.title[:_TITLE], "body": body, "labels": ["keywatch"]}
            number = self._send("POST", self._issues, issue).get("number")
            return {"number": number} if isinstance(number, int) else {}
        issue_path = f"{self._issues}/{int(thread['number'])}"
        if not (again and self._found(f"{issue_path}/comments", idempotency_key, since)):
            self._send("POST", f"{issue_path}/comments", {"body": body})
        if words.event in _OVER:
            closed = {"state": "closed", "state_reason": _OVER[words.event]}
            self._send("PATCH", issue_path, closed)
        return dict(thread)

    def _opened(self, idempotency_key: str, since: str) -> int:
        """Return the number of the issue that was opened by this message; 0 for none."""
        newest = f"{self._issues}?state=all&labels=keywatch&sort=created&direction=desc"
        found = self._found(newest, idempotency_key, since)
        opened = found.get("number")
        return opened if isinstance(opened, int) else 0

    def _found(self, path: str, idempotency_key: str, since: str) -> dict[str, Any]:
        """Return the first of the texts listed there that has the mark; empty for none."""
        span = f"{'&' if '?' in path else '?'}per_page=100&since={quote(since)}"
        answer = self._site.send(b"", self._headers, "GET", f"{path}{span}")
        try:
            listed = msgspec.json.decode(answer.body, type=list[dict[str, Any]])
        except msgspec.MsgspecError:
            return {}
        mark = _mark(idempotency_key)
        return next((one for one in listed if str(one.get("body")).endswith(mark)), {})

    def _send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._site.send(msgspec.json.encode(body), self._headers, method, path)
        return object_of(answer)


def _body(words: Words, idempotency_key: str) -> str:
    link = f"\n\n<{words.link}>" if words.link else ""
    return f"{fenced(f'{words.title}{chr(10)}{words.body}')}{link}\n\n{_mark(idempotency_key)}"


def _mark(idempotency_key: str) -> str:
    return f"<!-- {idempotency_key} -->"
