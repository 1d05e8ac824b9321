"""E-mail by SMTP, as text and as HTML; the messages of an incident are one thread."""

import re
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from html import escape
from typing import Any
from urllib.parse import unquote, urlsplit

from actions.telling.mail import Server, TlsServer
from actions.telling.web import TIMEOUT_S, is_here
from actions.telling.words import Words, writer_of
from vocabulary.errors import ConfigError, ServiceError

_PORTS = {"smtp": 587, "smtps": 465}
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"
)
_REFUSED = 500
_TITLE = 200


def make(options: Mapping[str, Any]) -> "Email":
    """Return the notifier of a server (`url`), a `sender` and recipients (`to`).

    Without recipients a message goes to the owner of its key, where that is an address.

    Raises:
        ConfigError: when one of them is missing or no address.
    """
    return Email(options)


class Email:
    """Sends through one server.

    `smtp://host:587` changes to TLS by STARTTLS and refuses to go on without, except on this
    machine; `smtps://host:465` begins with it.

    Args:
        options: the table of keywatch.toml.
        timeout_s: for a whole attempt, whatever the server does meanwhile.
    """

    def __init__(self, options: Mapping[str, Any], timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        where = f"notify.{options.get('name', '')}"
        self._server = urlsplit(options.get("url", ""))
        if self._server.scheme not in _PORTS or not self._server.hostname:
            raise ConfigError(
                "`url` names no mail server", where=where, remedy="smtp://host:587 or smtps://host"
            )
        self._sender, self._to = options.get("sender", ""), tuple(options.get("to", ()))
        for address in (self._sender, *self._to):
            if not _ADDRESS.fullmatch(address):
                raise ConfigError(f"{address!r} is no e-mail address", where=where)
        self._user, self._password = options.get("username", ""), options.get("secret", "")
        self._writer = writer_of(options)

    def __repr__(self) -> str:
        """Return where it sends to, without what else an address may carry."""
        return f"Email({self._place})"

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Send the message.

        Raises:
            ServiceError: when the server did not take it.
            ConfigError: when it refused it for good, or nobody can be told.
        """
        words = self._writer.write(message)
        to = self._to or ((words.owner,) if _ADDRESS.fullmatch(words.owner) else ())
        if not to:
            raise ConfigError(
                "nobody to write to: the owner of the key is no e-mail address",
                where=self._place,
                remedy="name recipients in `to`, or set the key's owner",
            )
        self._send(self._mail(words, to, idempotency_key, now), to)

    @property
    def _place(self) -> str:
        port = self._server.port or _PORTS[self._server.scheme]
        return f"{self._server.scheme}://{self._server.hostname}:{port}"

    def _mail(
        self, words: Words, to: tuple[str, ...], idempotency_key: str, now: float
    ) -> EmailMessage:
        domain = self._sender.rpartition("@")[2]
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = words.title[:_TITLE]
        mail["From"] = formataddr(("keywatch", self._sender))
        mail["To"] = ", ".join(to)
        mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        mail["Message-ID"] = f"<{idempotency_key}@{domain}>"
        if words.incident:
            mail["References"] = mail["In-Reply-To"] = f"<{words.incident}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(f"{words.title}\n\n{words.body}\n" + (words.link and f"\n{words.link}\n"))
        mail.add_alternative(html(words), subtype="html")
        return mail

    def _send(self, mail: EmailMessage, to: tuple[str, ...]) -> None:
        try:
            with closing(self._connected()) as server:
                server.send_message(mail, self._sender, to)
                server.quit()
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise self._problem(max(codes), "the recipients") from None
        except smtplib.SMTPResponseException as error:
            raise self._problem(error.smtp_code, "the message") from None
        except (OSError, smtplib.SMTPException) as error:
            reason = type(error).__name__
            raise ServiceError(f"the server was not reached: {reason}", where=self._place) from None

    def _problem(self, code: int, what: str) -> ServiceError | ConfigError:
        kind = ConfigError if code >= _REFUSED else ServiceError
        return kind(f"the server refused {what} ({code})", where=self._place)

    def _connected(self) -> smtplib.SMTP:
        host, port = self._server.hostname or "", self._server.port
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if self._server.scheme == "smtps":
            server = TlsServer(host, port or 465, timeout=self._timeout_s, context=context)
        else:
            server = Server(host, port or 587, timeout=self._timeout_s)
        with ExitStack() as unless:
            unless.callback(server.close)
            server.ehlo_or_helo_if_needed()
            if self._server.scheme == "smtp" and (server.has_extn("starttls") or not is_here(host)):
                server.starttls(context=context)
            if self._user:
                server.login(unquote(self._user), self._password)
            unless.pop_all()
        return server


def html(words: Words) -> str:
    """Return the message as HTML: escaped text, one link at most."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in words.body.splitlines())
    link = f'<p><a href="{escape(words.link)}">Open</a></p>' if words.link else ""
    return f"<html><body><h2>{escape(words.title)}</h2>{lines}{link}</body></html>"
