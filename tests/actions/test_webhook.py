import time
from base64 import b64encode
from random import Random

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from actions.executor import Executor
from actions.notify import notifiers
from actions.notify.webhook import Webhook
from tests.actions.desk import alert_about, until
from vocabulary.errors import ConfigError, ServiceError

SECRET = "whsec_" + b64encode(Random(1).randbytes(32)).decode()
MESSAGE = {"type": "incident.opened", "timestamp": "", "data": {"text": "\u202e<b>\x1b[0m"}}


def test_a_message_is_signed_as_standard_webhooks_asks(receiver):
    Webhook(receiver.url, SECRET)(MESSAGE, "msg_1", time.time())
    ((headers, body),) = receiver.got
    assert Verifier(SECRET).verify(body, headers) == MESSAGE
    assert headers["webhook-id"] == "msg_1"
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body + b" ", headers)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500, 503])
def test_whatever_is_not_taken_is_an_error_and_no_redirect_is_followed(receiver, status):
    receiver.answers = lambda _: status
    with pytest.raises(ServiceError, match=str(status)):
        Webhook(receiver.url, SECRET)(MESSAGE, "msg_1", time.time())
    assert len(receiver.got) == 1


def test_a_receiver_that_is_gone_says_so_for_good(receiver):
    receiver.answers = lambda _: 410
    with pytest.raises(ConfigError, match="gone"):
        Webhook(receiver.url, SECRET)(MESSAGE, "msg_1", time.time())


def test_a_receiver_that_never_answers_is_cut_off(receiver):
    receiver.release.clear()
    with pytest.raises(ServiceError, match="not reached"):
        Webhook(receiver.url, SECRET, timeout_s=0.2)(MESSAGE, "msg_1", time.time())


def test_a_receiver_that_is_not_there_is_an_error(receiver):
    receiver.server.server_close()
    with pytest.raises(ServiceError, match="not reached"):
        Webhook(receiver.url, SECRET)(MESSAGE, "msg_1", time.time())


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://",
        "https://[::1",
        "https://host:99999999/",
        "nonsense",
        "",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url):
    with pytest.raises(ConfigError):
        Webhook(url, SECRET)


@pytest.mark.parametrize("url", ["https://example.com/x", "http://127.0.0.1:1/", "http://[::1]:1/"])
def test_https_and_this_machine_are_taken(url):
    assert "example" in repr(Webhook(url, SECRET)) or "1" in repr(Webhook(url, SECRET))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_****", "é" * 40])
def test_a_secret_that_protects_nothing_is_refused_and_not_shown(secret):
    with pytest.raises(ConfigError) as refusal:
        Webhook("https://example.com/", secret)
    assert secret[:8] not in str(refusal.value).replace("whsec_ and", "") or len(secret) < 8


def test_an_alert_reaches_the_receiver_and_its_repetition_has_the_same_id(desk, receiver):
    receiver.answers = lambda number: 500 if number == 1 else 204
    told = notifiers([{"name": "owner", "type": "webhook", "url": receiver.url, "secret": SECRET}])
    key = desk.key()
    desk.answer(alert_about(key))
    carrying = Executor(desk.engine, notifiers=told, clock=desk.clock, random=lambda: 0.0)
    carrying.run_once()
    desk.now += 1
    carrying.run_once()
    assert len(set(receiver.ids())) == 1
    assert receiver.got[0][1] == receiver.got[1][1]
    assert receiver.messages()[1]["data"]["alert"]["key"] == key
    assert desk.rows(effect="notify")[0].state == "done"


def test_a_revocation_does_not_wait_for_a_receiver_that_answers_late(desk, receiver):
    from actions.background import running  # noqa: PLC0415

    receiver.release.clear()
    told = notifiers(
        [{"name": "security", "type": "webhook", "url": receiver.url, "secret": SECRET}]
    )
    said = []
    with running(Executor(desk.engine, notifiers=told), said.append, poll_s=0.01) as background:
        keys = [desk.key() for _ in range(2)]
        for number, key in enumerate(keys):
            desk.answer(alert_about(key, number=number, severity="critical"))
            background.wake()
            until(lambda key=key: desk.store.get(key).state == "revoked")
            until(lambda: receiver.got)
        receiver.release.set()
        until(lambda: all(row.state == "done" for row in desk.rows()))
    assert said == []
