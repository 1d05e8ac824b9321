"""Everything that Apprise knows: chats, push services, SMS, … (`keywatch[apprise]`).

https://github.com/caronc/apprise. The message goes out as plain text, which Apprise escapes for
services that take HTML or Markdown.
"""

from collections.abc import Mapping
from typing import Any

from actions.telling.words import writer_of
from vocabulary.errors import ConfigError, ServiceError

_TYPES = {"low": "info", "medium": "warning", "high": "warning", "critical": "failure"}


def make(options: Mapping[str, Any]) -> "Apprise":
    """Return the notifier of an Apprise address as `secret`, since it holds tokens.

    Raises:
        ConfigError: when the package is not there, or it does not know the address.
    """
    return Apprise(options)


class Apprise:
    """Sends to one Apprise address."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        where = f"notify.{options.get('name', '')}"
        try:
            import apprise  # noqa: PLC0415  (an extra, and slow to import)
        except ImportError:
            raise ConfigError(
                "the package apprise is missing",
                where=where,
                remedy="install keywatch[apprise]",
            ) from None
        # Another address would be told everything, and it may stand within our own walls.
        asset = apprise.AppriseAsset(http_redirects=False)
        self._server = apprise.Apprise(asset=asset)
        if not self._server.add(options.get("secret", "")):
            raise ConfigError(
                "Apprise does not know the address in `secret`",
                where=where,
                remedy="see its list of notifications",
            )
        self._writer = writer_of(options)

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Send the message.

        Raises:
            ServiceError: when it was not taken; Apprise does not say why.
        """
        del now, idempotency_key
        words = self._writer.write(message)
        body = f"{words.body}\n{words.link}".strip() or words.title
        sent = self._server.notify(
            title=words.title,
            body=body,
            body_format="text",
            notify_type=_TYPES.get(words.severity, "info"),
            interpret_escapes=False,
        )
        if not sent:
            raise ServiceError("the service did not take the message", where="apprise")
