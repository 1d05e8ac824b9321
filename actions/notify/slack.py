"""Slack: one thread an incident; its first message always shows how the incident stands.

By a bot token with `chat:write`: https://docs.slack.dev/reference/methods/chat.postMessage. With
`channels:history` (`groups:history` for private channels) a message that may have been posted by
somebody who died is looked for first: https://docs.slack.dev/messaging/message-metadata.
Every text is a `plain_text` object, in which Slack makes no links, mentions or formats; the
fallback text, which is parsed, has its three control characters escaped.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from actions.leaks import epoch_s
from actions.telling.web import LIST_BYTES, Site, object_of
from actions.telling.words import Words, writer_of
from vocabulary.errors import ConfigError, ServiceError

API = "https://slack.com/api"
_TITLE, _SECTION = 150, 3000
_ICONS = {"low": "⚪", "medium": "🟡", "high": "🟠", "critical": "🔴"}
_NEVER = {
    "invalid_auth", "account_inactive", "token_revoked", "not_in_channel", "channel_not_found",
    "is_archived", "missing_scope", "no_permission", "invalid_blocks",
}  # fmt: skip


_EVENT = "keywatch"
_SLACK_S = 60.0
"""By so much Slack's clock may be behind ours."""


class _Metadata(msgspec.Struct, frozen=True):
    event_type: str = ""
    event_payload: dict[str, Any] = {}


class _Listed(msgspec.Struct, frozen=True):
    ts: str = ""
    metadata: _Metadata = _Metadata()


class _Page(msgspec.Struct, frozen=True):
    messages: tuple[_Listed, ...] = ()


def make(options: Mapping[str, Any]) -> "Slack":
    """Return the notifier of a `channel` and a bot token as `secret`.

    Raises:
        ConfigError: when either is missing.
    """
    return Slack(options)


class Slack:
    """Posts to one channel."""

    threaded = True
    looks = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        where = f"notify.{options.get('name', '')}"
        self._channel, self._token = options.get("channel", ""), options.get("secret", "")
        if not self._channel or not self._token:
            raise ConfigError("Slack needs a `channel`, and a bot token as `secret`", where=where)
        self._site = Site(options.get("url") or API, where, most_bytes=LIST_BYTES)
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
        metadata = {"event_type": _EVENT, "event_payload": {"id": idempotency_key}}
        since = epoch_s(str(message.get("timestamp", "")))
        answer = self._posted(place, idempotency_key, since) if again else {}
        if not answer:
            answer = self._call("chat.postMessage", {**place, **said, "metadata": metadata})
        if not thread:
            return {"channel": answer.get("channel", self._channel), "ts": answer.get("ts", "")}
        root = {"channel": thread["channel"], "ts": thread["ts"]}
        self._call("chat.update", {**root, **shown(words)})
        return root

    def _posted(
        self, place: Mapping[str, str], idempotency_key: str, since: float
    ) -> dict[str, Any]:
        """Return where it was posted before; empty where it was not, or we may not look."""
        asked = {"channel": place["channel"], "oldest": f"{max(0.0, since - _SLACK_S):.6f}"}
        asked |= {"include_all_metadata": "true", "limit": "200"}
        method = "conversations.history"
        if "thread_ts" in place:
            method, asked["ts"] = "conversations.replies", place["thread_ts"]
        headers = {"Authorization": f"Bearer {self._token}"}
        path = f"/{method}?{urlencode(asked)}"
        answer = self._site.send(b"", headers, "GET", path)
        try:
            listed = msgspec.json.decode(answer.body, type=_Page).messages
        except msgspec.MsgspecError:
            return {}
        sent = [one.ts for one in listed if one.metadata.event_payload.get("id") == idempotency_key]
        return {"channel": place["channel"], "ts": sent[0]} if sent else {}

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
