"""A real SMTP server on this machine that keeps what it gets."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class MailServer:
    def __init__(self) -> None:
        self.mails = []
        self.refuse = self.unknown = ""
        self.port = 0

    def options(self, **other):
        url = f"smtp://127.0.0.1:{self.port}"
        return {"name": "mail", "url": url, "sender": "watch@keys.example"} | other

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if self.unknown:
            return self.unknown
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802  (aiosmtpd's name)
        if self.refuse:
            return self.refuse
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


class _Controller(Controller):
    def factory(self):
        return SMTP(self.handler, hostname="localhost")

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    kept = MailServer()
    controller = _Controller(kept, hostname="127.0.0.1", port=0)
    controller.start()
    kept.port = controller.port
    try:
        yield kept
    finally:
        controller.stop()
