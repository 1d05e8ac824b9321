"""Slack: one thread an incident; its first message always shows how the incident stands.

By a bot token with `chat:write`: https://docs.slack.dev/reference/methods/chat.postMessage.
Every text is a `plain_text` object, in which Slack makes no links, mentions or formats; the
fallback text, which is parsed, has its three control characters escaped.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from actions.telling.web import Site, object_of
from actions.telling.words import Words, writer_of
from vocabulary.errors import ConfigError, ServiceError

API = "https://slack.com/api"
_TITLE, _SECTION = 150, 3000
_ICONS = {"low": "⚪", "medium": "🟡", "high": "🟠", "critical": "🔴"}
_NEVER = {
    "invalid_auth", "account_inactive", "token_revoked", "not_in_channel", "channel_not_found",
    "is_archived", "missing_scope", "no_permission", "invalid_blocks",
}  # fmt: skip


def make(options: Mapping[str, Any]) -> "Slack":
    """Return the notifier of a `channel` and a bot token as `secret`.

    Raises:
        ConfigError: when either is missing.
    """
    return Slack(options)


class Slack:
    """Posts to one channel."""

    threaded = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        where = f"notify.{options.get('name', '')}"
        self._channel, self._token = options.get("channel", ""), options.get("secret", "")
        if not self._channel or not self._token:
            raise ConfigError("Slack needs a `channel`, and a bot token as `secret`", where=where)
        self._site = Site(options.get("url") or API, where)
        self._writer = writer_of(options)

    def __call__(
        self,
        message: Mapping[str, Any],
        idempotency_key: str,
        now: float,
        thread: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Post the message; return where its thread is.

        Raises:
            ServiceError: when Slack did not take it.
            ConfigError: when it never will.
        """
        del now
        words = self._writer.write(message)
        said = {**shown(words), "unfurl_links": False, "unfurl_media": False, "parse": "none"}
        place = {"channel": self._channel}
        if thread:
            place = {"channel": thread["channel"], "thread_ts": thread["ts"]}
        metadata = {"event_type": "keywatch", "event_payload": {"id": idempotency_key}}
        answer = self._call("chat.postMessage", {**place, **said, "metadata": metadata})
        if not thread:
            return {"channel": answer.get("channel", self._channel), "ts": answer.get("ts", "")}
        root = {"channel": thread["channel"], "ts": thread["ts"]}
        self._call("chat.update", {**root, **shown(words)})
        return root

    def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {self._token}",
        }
        answer = object_of(self._site.send(msgspec.json.encode(body), headers, path=f"/{method}"))
        if answer.get("ok") is True:
            return answer
        error = str(answer.get("error", "an answer that is none of its own"))[:80]
        kind = ConfigError if error in _NEVER else ServiceError
        raise kind(f"Slack refused: {error}", where=method)


def shown(words: Words) -> dict[str, Any]:
    """Return the blocks of a message, and the text for those who see no blocks."""
    title = f"{_ICONS.get(words.severity, '⚪')} {words.title}"[:_TITLE]
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(title)}]
    if words.body:
        blocks.append({"type": "section", "text": _plain(words.body[:_SECTION])})
    if words.link:
        button = {"type": "button", "text": _plain("Open"), "url": words.link}
        blocks.append({"type": "actions", "elements": [button]})
    return {"text": escaped(title), "blocks": blocks, "mrkdwn": False}


def escaped(text: str) -> str:
    """Return text without Slack's control characters.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
