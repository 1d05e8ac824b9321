"""Every way of notifying, against stand-ins on this machine, with what attackers may write."""

import json
import re
import socket
import ssl
import subprocess
import sys
from contextlib import closing
from threading import Thread

import pytest

from actions import notify
from actions.executor import Executor
from actions.notify import make, notifiers
from actions.notify.email import html
from actions.notify.ocsf import finding_of
from actions.notify.slack import shown
from actions.notify.syslog import cef, record
from actions.owners import new_owner
from actions.policy import parse
from actions.telling.escape import plain
from actions.telling.words import Words, Writer
from tests.actions.desk import alert_about
from tests.actions.messages import HOSTILE, message
from tests.certificates import certificate
from tests.httpd import serving
from vocabulary.errors import ConfigError, ServiceError

TOKEN = "not-a-token"
NOW = 1_750_000_000.0


def ok(answer=b"{}", status=200):
    return lambda _asked: (status, {}, answer)


def bodies(server):
    return [json.loads(asked.body) for asked in server.asked]


def slack(url, **options):
    return make("slack", {"name": "s", "url": url, "channel": "C1", "secret": TOKEN} | options)


def slack_answer(asked):
    said = {"ok": True, "channel": "C1", "ts": "1.2"}
    return 200, {"Content-Type": "application/json"}, json.dumps(said).encode()


def test_slack_has_one_thread_an_incident_and_updates_its_root():
    with serving(slack_answer) as server:
        told = slack(server.url)
        root = told(message(), "msg_1", NOW, None)
        assert root == {"channel": "C1", "ts": "1.2"}
        assert told(message("resolved"), "msg_2", NOW, root) == root
    first, second, third = bodies(server)
    assert [asked.path for asked in server.asked] == [
        "/chat.postMessage",
        "/chat.postMessage",
        "/chat.update",
    ]
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "thread_ts" not in first
    assert second["thread_ts"] == third["ts"] == "1.2"
    assert "it is over" in third["text"]


def test_slack_renders_nothing_of_what_attackers_wrote():
    said = shown(Writer("security", link="https://c.example/$incident").write(message()))
    kinds = re.findall(r'"type": "(\w+)"', json.dumps(said))
    assert set(kinds) == {"header", "section", "actions", "button", "plain_text"}
    assert said["mrkdwn"] is False
    assert not set("<>") & set(said["text"])
    assert all(len(block["text"]["text"]) <= 3000 for block in said["blocks"] if "text" in block)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"ok": false, "error": "ratelimited"}', ServiceError),
        (b'{"ok": false, "error": "channel_not_found"}', ConfigError),
        (b"<html>", ServiceError),
        (b"[]", ServiceError),
        (b'{"ok": "yes"}', ServiceError),
    ],
)
def test_slack_says_no_with_a_friendly_status(answer, error):
    with serving(ok(answer)) as server, pytest.raises(error):
        slack(server.url)(message(), "msg_1", NOW, None)


def test_pagerduty_triggers_acknowledges_and_resolves_one_incident():
    with serving(ok(status=202)) as server:
        told = make("pagerduty", {"name": "p", "url": server.url, "secret": "R" * 32})
        for event in ("opened", "updated", "acknowledged", "resolved", "false"):
            told(message(event), f"msg_{event}", NOW)
    sent = bodies(server)
    assert [one["event_action"] for one in sent] == [
        "trigger",
        "trigger",
        "acknowledge",
        "resolve",
        "resolve",
    ]
    assert {one["dedup_key"] for one in sent} == {"inc_1"}
    payload = sent[0]["payload"]
    assert payload["severity"] == "critical"
    assert len(payload["summary"]) <= 1024
    assert {"summary", "source", "severity"} <= set(payload)


def test_github_opens_comments_on_and_closes_an_issue():
    with serving(ok(b'{"number": 7}', 201)) as server:
        options = {"name": "g", "url": server.url, "repository": "a/b", "secret": "t"}
        told = make("github", options)
        kept = told(message(), "msg_1", NOW, None)
        told(message("false"), "msg_2", NOW, kept)
    assert kept == {"number": 7}
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("POST", "/repos/a/b/issues"),
        ("POST", "/repos/a/b/issues/7/comments"),
        ("PATCH", "/repos/a/b/issues/7"),
    ]
    opened, _, closed = bodies(server)
    assert closed == {"state": "closed", "state_reason": "not_planned"}
    outside = re.sub(r"(`{3,})text\n.*?\n\1", "", opened["body"], flags=re.DOTALL)
    assert outside.strip() == "<!-- msg_1 -->"


class Shelf:
    """What was posted, listed to whoever asks."""

    def __init__(self, listed, posted):
        self.listed, self.posted = listed, posted

    def __call__(self, asked):
        if asked.method == "GET":
            return 200, {}, json.dumps(self.listed).encode()
        if asked.method == "POST":
            self.listed = self.posted(json.loads(asked.body), self.listed)
        return 200, {}, b'{"ok": true, "number": 7, "channel": "C1", "ts": "1.2"}'


def shelved(said, listed):
    """Put a message of Slack's on the shelf; an update is none."""
    found = {"ts": "1.2", "metadata": said.get("metadata", {})}
    return {"ok": True, "messages": [*listed["messages"], found]}


def posts(server):
    return [asked.path for asked in server.asked if asked.method == "POST"]


@pytest.mark.parametrize("thread", [None, {"number": 7}])
def test_github_posts_nothing_twice_although_the_sender_died(thread):
    def posted(said, listed):
        return [*listed, {"number": 7, "body": said["body"]}]

    with serving(Shelf([{"body": None}, {"body": "<!-- msg_0 -->"}], posted)) as server:
        options = {"name": "g", "url": server.url, "repository": "a/b", "secret": "t"}
        first = make("github", options)(message(), "msg_1", NOW, thread)
        again = make("github", options)(message(), "msg_1", NOW, thread, again=True)
        assert first == again == {"number": 7}
        assert len(posts(server)) == 1
        make("github", options)(message(), "msg_2", NOW, thread, again=True)
        assert len(posts(server)) == 2


@pytest.mark.parametrize("thread", [None, {"channel": "C1", "ts": "1.0"}])
def test_slack_posts_nothing_twice_although_the_sender_died(thread):
    root = thread or {"channel": "C1", "ts": "1.2"}
    with serving(Shelf({"messages": [{"ts": "1.1"}]}, shelved)) as server:
        assert slack(server.url)(message(), "msg_1", NOW, thread) == root
        assert slack(server.url)(message(), "msg_1", NOW, thread, again=True) == root
        assert posts(server).count("/chat.postMessage") == 1
        slack(server.url)(message(), "msg_2", NOW, thread, again=True)
        assert posts(server).count("/chat.postMessage") == 2


@pytest.mark.parametrize("listed", [{"ok": False, "error": "missing_scope"}, [], {"messages": 1}])
def test_slack_posts_where_it_may_not_look(listed):
    with serving(Shelf(listed, lambda _said, kept: kept)) as server:
        slack(server.url)(message(), "msg_1", NOW, None, again=True)
        assert posts(server) == ["/chat.postMessage"]


def test_who_looks_is_told_when_a_message_may_have_been_sent_before(desk):
    told = []

    class Looking:
        looks = True

        def __call__(self, _message, _key, _now, *, again):
            told.append(again)
            if len(told) == 1:
                raise ServiceError("no answer")

    desk.policy = parse('[[case]]\nnotify = ["all"]', "p.toml")
    desk.answer(alert_about(desk.key()))
    executor = Executor(desk.engine, notifiers={"all": Looking()}, clock=desk.clock)
    executor.run_notifications()
    desk.now += 10
    executor.run_notifications()
    desk.answer(alert_about(desk.key(), number=2))
    dead = Executor(desk.engine, clock=desk.clock, owner="dead")
    assert len(dead._lease()) == 1
    desk.now += 100
    executor.run_notifications()
    assert told == [False, True, True]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells who is gone")
@pytest.mark.parametrize(("whose", "sent"), [("killed", 1), ("elsewhere", 0), ("alive", 0)])
def test_what_a_killed_process_had_leased_is_sent_at_once_and_nobody_elses(desk, whose, sent):
    code = "from actions.owners import new_owner; print(new_owner())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    killed = ran.stdout.strip()
    owner = {"killed": killed, "elsewhere": f"x{killed}", "alive": new_owner()}[whose]
    told = []
    notifiers = {"all": lambda *message: told.append(message)}
    desk.policy = parse('[[case]]\nnotify = ["all"]', "p.toml")
    desk.answer(alert_about(desk.key()))
    assert len(Executor(desk.engine, clock=desk.clock, owner=owner)._lease()) == 1
    Executor(desk.engine, notifiers=notifiers, clock=desk.clock).run_notifications()
    assert len(told) == sent


def test_email_is_text_and_html_in_one_thread(smtp):
    told = make("email", smtp.options(to=("team@example.com",)))
    told(message(), "msg_1", NOW)
    told(message("resolved"), "msg_2", NOW)
    first, second = smtp.mails
    assert first["To"] == "team@example.com"
    assert first["Bcc"] is None
    assert first["References"] == second["References"] == "<inc_1@keys.example>"
    assert first["Message-ID"] == "<msg_1@keys.example>"
    text = first.get_body(("plain",)).get_content()
    page = first.get_body(("html",)).get_content()
    assert "ended it for good" in text
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<a href" not in page


def test_email_goes_to_the_owner_where_that_is_an_address(smtp):
    told = make("email", smtp.options(name="owner"))
    about = message()
    with pytest.raises(ConfigError, match="nobody to write to"):
        told(about, "msg_1", NOW)
    about["data"]["key"]["owner"] = "ann@example.com"
    told(about, "msg_1", NOW)
    assert smtp.mails[0]["To"] == "ann@example.com"
    about["data"]["key"]["owner"] = "ann@example.com, all@example.com"
    with pytest.raises(ConfigError, match="nobody to write to"):
        told(about, "msg_2", NOW)


@pytest.mark.parametrize(("code", "error"), [(451, ServiceError), (550, ConfigError)])
def test_email_that_is_refused_is_tried_again_or_given_up(smtp, code, error):
    smtp.refuse = f"{code} no"
    with pytest.raises(error, match=str(code)):
        make("email", smtp.options(to=("a@b.example",)))(message(), "msg_1", NOW)


def test_html_is_escaped():
    page = html(Writer("owner", link="https://x/?a=1&b=$key").write(message()))
    assert "<script" not in page
    assert "&amp;b=key_a" in page
    assert re.findall(r"<(\w+)", page) == ["html", "body", "h2", *["p"] * 7, "a"]


def test_syslog_over_udp_and_tcp():
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(10)
        port = collector.getsockname()[1]
        make("syslog", {"name": "s", "url": f"udp://127.0.0.1:{port}"})(message(), "msg_1", NOW)
        line = collector.recv(65_535).decode()
    assert line.startswith("<84>1 2025-06-15T15:06:40.000Z - keywatch - msg_1 - CEF:0|keywatch|")
    with closing(socket.create_server(("127.0.0.1", 0))) as collector:
        got = []
        thread = Thread(target=lambda: got.append(received(collector)))
        thread.start()
        port = collector.getsockname()[1]
        make("syslog", {"name": "s", "url": f"tcp://127.0.0.1:{port}"})(message(), "msg_1", NOW)
        thread.join()
    length, _, rest = got[0].partition(b" ")
    assert int(length) == len(rest)
    assert rest.decode() == line


def received(collector):
    connection, _ = collector.accept()
    with connection, connection.makefile("rb") as stream:
        return stream.read()


def test_cef_keeps_its_fields_apart():
    line = cef(message(), "msg_1")
    header = re.split(r"(?<!\\)\|", line)
    assert header[:3] == ["CEF:0", "keywatch", "keywatch"]
    assert header[6] == "10"
    names = re.findall(r"(?:^| )([a-zA-Z0-9]+)(?<!\\)=", "|".join(header[7:]))
    assert names == [
        "rt", "externalId", "suser", "duid", "act", "outcome", "reason", "msg", "cs1Label", "cs1",
        "cs2Label", "cs2",
    ]  # fmt: skip
    assert "\n" not in record(message(), "msg_1")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_what_cannot_be_reached_is_an_error():
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    ways = {
        "slack": {"url": f"http://127.0.0.1:{port}", "channel": "C", "secret": "t"},
        "email": {
            "url": f"smtp://127.0.0.1:{port}",
            "sender": "a@b.example",
            "to": ["a@b.example"],
        },
        "syslog": {"url": f"tcp://127.0.0.1:{port}"},
        "ecs": {"url": f"http://127.0.0.1:{port}"},
        "apprise": {"secret": f"json://127.0.0.1:{port}"},
    }
    for way, options in ways.items():
        with pytest.raises(ServiceError):
            make(way, {"name": "x"} | options)(message(), "msg_1", NOW)


@pytest.mark.parametrize("way", ["ocsf", "ecs", "cloudevents"])
def test_events_go_to_files_and_addresses(tmp_path, way):
    file = tmp_path / "events.jsonl"
    told = make(way, {"name": "x", "url": f"file://{file}"})
    told(message(), "msg_1", NOW)
    told(message("resolved"), "msg_2", NOW)
    first, second = map(json.loads, file.read_bytes().splitlines())
    assert HOSTILE.split("\r")[0] in json.dumps(first, ensure_ascii=False) or first != second
    assert file.stat().st_mode & 0o077 == 0
    with serving(ok()) as server:
        made = make(way, {"name": "x", "url": server.url, "secret": "Splunk abc"})
        made(message(), "msg_1", NOW)
    (asked,) = server.asked
    assert json.loads(asked.body) == first
    assert asked.headers["authorization"] == "Splunk abc"
    assert asked.headers["idempotency-key"] == "msg_1"


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    told = make("ecs", {"name": "x", "url": f"file://{tmp_path}/none/events"})
    with pytest.raises(ServiceError, match="not written"):
        told(message(), "msg_1", NOW)


def test_a_finding_says_what_its_class_asks_for():
    opened, closed = (finding_of(message(event), "msg_1") for event in ("opened", "resolved"))
    required = {
        "activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id",
        "time", "type_uid",
    }  # fmt: skip
    assert required <= set(opened)
    assert (opened["class_uid"], opened["type_uid"], closed["type_uid"]) == (2004, 200401, 200403)
    assert opened["finding_info"]["uid"] == closed["finding_info"]["uid"] == "inc_1"
    assert (opened["severity_id"], opened["severity"]) == (5, "Critical")
    assert opened["time"] == 1_750_000_000_000


@pytest.mark.service
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_events_go_to_a_topic(kafka_broker):
    kafka, admin = pytest.importorskip("kafka"), pytest.importorskip("kafka.admin")
    with closing(admin.KafkaAdminClient(bootstrap_servers=kafka_broker)) as client:
        client.create_topics([admin.NewTopic("findings", 1, 1)])
    url = f"kafka://{kafka_broker}/findings"
    told = make("cloudevents", {"name": "k", "url": url})
    told(message(), "msg_1", NOW)
    consumer = kafka.KafkaConsumer(
        "findings", bootstrap_servers=kafka_broker, auto_offset_reset="earliest"
    )
    with closing(consumer), closing(told._sink._producer):
        record = next(consumer)
    assert record.key == b"key_a"
    assert dict(record.headers) == {"idempotency-key": b"msg_1"}
    assert json.loads(record.value)["type"] == "keywatch.incident.opened"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_apprise_gets_plain_text():
    with serving(ok()) as server:
        address = server.url.replace("http://", "json://")
        make("apprise", {"name": "a", "secret": address})(message(), "msg_1", NOW)
    (sent,) = bodies(server)
    assert sent["type"] == "failure"
    assert plain(HOSTILE)[:40] in sent["message"]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_apprise_is_sent_nowhere_else(status):
    with serving(ok()) as inner:
        with serving(lambda _asked: (status, {"Location": inner.url}, b"")) as outer:
            told = make("apprise", {"name": "a", "secret": outer.url.replace("http:", "json:")})
            with pytest.raises(ServiceError):
                told(message(), "msg_1", NOW)
        assert len(outer.asked) == 1
    assert inner.asked == []


WRONG = {
    "slack": [{}, {"channel": "C"}, {"channel": "C", "secret": "t", "url": "http://slack.example"}],
    "pagerduty": [{}],
    "github": [{"repository": "a/b"}, {"repository": "../x", "secret": "t"}],
    "email": [{}, {"url": "smtp://m"}, {"url": "smtp://m", "sender": "a@b\r\nBcc: x@y"}],
    "syslog": [{}, {"url": "https://x"}],
    "ocsf": [
        {},
        {"url": "file://host/x"},
        {"url": "kafka://host"},
        {"url": "http://other.example"},
    ],
    "apprise": [{}, {"secret": "nonsense"}],
    "carrier-pigeon": [{}],
}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("way", WRONG)
def test_what_is_missing_or_wrong_is_refused_at_the_start(way):
    for options in WRONG[way]:
        with pytest.raises(ConfigError):
            make(way, {"name": "x"} | options)


def test_two_notifiers_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="name"):
        notifiers([{"name": "a", "type": "log"}, {"name": "a", "type": "log"}])


def test_no_notifier_shows_its_secret(smtp):
    secret = "s3cr3t" * 8
    for way, options in {
        "slack": {"channel": "C"},
        "pagerduty": {},
        "github": {"repository": "a/b"},
        "email": smtp.options(username="u"),
        "ecs": {"url": "https://x.example"},
    }.items():
        made = make(way, {"name": "x", **options, "secret": secret})
        assert secret not in repr(made)


def test_every_way_is_documented():
    from keywatch.config import leaves  # noqa: PLC0415
    from keywatch.config_actions import NotifierSettings  # noqa: PLC0415

    (described,) = (x.description for x in leaves(NotifierSettings) if x.address == ("type",))
    assert set(notify.ways()) == set(re.findall(r"[a-z]+", described)) - {"or"}


def test_one_thread_an_incident_whatever_comes_between(desk):
    with serving(slack_answer) as server:
        told = {"security": slack(server.url), "owner": slack(server.url)}
        keys = [desk.key(), desk.key()]
        executor = Executor(desk.engine, notifiers=told, clock=desk.clock)
        for number, key in enumerate(keys):
            desk.answer(alert_about(key, number=number, severity="critical"))
        executor.run_once()
        assert [body.get("thread_ts") for body in bodies(server)] == [None, None]
        desk.now += 90_000
        desk.answer(alert_about(keys[0], number="later", severity="critical", family="volume"))
        executor.run_once()
    assert {row.result.get("ts") for row in desk.rows(effect="notify", state="done")} == {"1.2"}
    assert bodies(server)[-1].get("thread_ts") is None  # another incident, another thread


def about(kind, **data):
    return {"type": kind, "timestamp": "2025-06-15T15:06:40.000Z", "data": data}


REVOKED = about("key.revoke", key="key_a", actor="ann", reason="she left")
ADDRESS = about(
    "incident.opened",
    incident={"id": "inc_1", "subject": "ip:203.0.113.7", "severity": "high"},
    alert={"kind": "stuffing", "ip": "203.0.113.7", "summary": "many keys"},
)


@pytest.mark.parametrize(
    ("said", "source", "user", "resources"),
    [
        (REVOKED, None, None, [{"uid": "key_a", "type": "API key"}]),
        (ADDRESS, "203.0.113.7", None, [{"uid": "203.0.113.7", "type": "IP address"}]),
        (about("digest", count=2, messages=[]), None, None, []),
        (message(), None, HOSTILE, [{"uid": "key_a", "type": "API key"}]),
    ],
)
def test_events_name_who_and_what_they_are_about_as_far_as_that_is_known(
    tmp_path, said, source, user, resources
):
    file = tmp_path / "events.jsonl"
    make("ecs", {"name": "x", "url": f"file://{file}"})(said, "msg_1", NOW)
    document = json.loads(file.read_bytes())
    assert document.get("source", {}).get("ip") == source
    assert ("user" in document) == bool(user)
    found = finding_of(said, "msg_1")["resources"]
    assert [{name: one[name] for name in ("uid", "type")} for one in found] == resources


def test_a_message_without_link_or_body_is_a_title_alone():
    (block,) = shown(Words("a title", "", "key", "", "low", "", ""))["blocks"]
    assert block["type"] == "header"


def test_email_about_no_incident_stands_in_no_thread(smtp):
    make("email", smtp.options(to=("team@example.com",)))(REVOKED, "msg_1", NOW)
    (mail,) = smtp.mails
    assert (mail["References"], mail["In-Reply-To"]) == (None, None)


def test_email_to_another_machine_never_goes_in_clear(smtp, monkeypatch):
    monkeypatch.setattr("actions.notify.email.is_here", lambda _: False)
    with pytest.raises(ServiceError, match="SMTPNotSupportedError"):
        make("email", smtp.options(to=("a@b.example",)))(message(), "msg_1", NOW)
    assert smtp.mails == []


def test_email_is_not_sent_without_the_name_that_was_to_be_shown(smtp):
    options = smtp.options(to=("a@b.example",), username="u", secret="s3cr3t" * 8)
    with pytest.raises(ServiceError) as told:
        make("email", options)(message(), "msg_1", NOW)
    assert "s3cr3t" not in str(told.value)
    assert smtp.mails == []


@pytest.mark.parametrize(("code", "error"), [(450, ServiceError), (550, ConfigError)])
def test_email_to_nobody_that_the_server_knows_is_tried_again_or_given_up(smtp, code, error):
    smtp.unknown = f"{code} no such mailbox"
    with pytest.raises(error, match=rf"the recipients \({code}\)"):
        make("email", smtp.options(to=("a@b.example", "c@b.example")))(message(), "msg_1", NOW)


def test_nothing_is_sent_to_who_cannot_prove_who_they_are(tmp_path):
    certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with serving(ok(), context) as server:
        port = server.url.rpartition(":")[2]
        to = {"sender": "a@b.example", "to": ["a@b.example"]}
        for way, options in {
            "email": {"url": f"smtps://127.0.0.1:{port}", **to},
            "syslog": {"url": f"tls://127.0.0.1:{port}"},
            "ecs": {"url": f"https://127.0.0.1:{port}"},
        }.items():
            with pytest.raises(ServiceError):
                make(way, {"name": "x", **options})(message(), "msg_1", NOW)
    assert server.asked == []


@pytest.mark.parametrize("listed", [b"{}", b"<html>", b"[1]"])
def test_github_posts_where_what_it_lists_cannot_be_read(listed):
    def answer(asked):
        return 200, {}, listed if asked.method == "GET" else b'{"number": 7}'

    with serving(answer) as server:
        options = {"name": "g", "url": server.url, "repository": "a/b", "secret": "t"}
        assert make("github", options)(message(), "msg_1", NOW, None, again=True) == {"number": 7}
        assert len(posts(server)) == 1


@pytest.mark.parametrize(
    ("way", "module", "options", "extra"),
    [
        ("apprise", "apprise", {"secret": "json://127.0.0.1"}, "keywatch[apprise]"),
        ("ecs", "kafka", {"url": "kafka://127.0.0.1:9/topic"}, "keywatch[kafka]"),
    ],
)
def test_without_the_package_it_is_said_what_to_install(monkeypatch, way, module, options, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as told:
        make(way, {"name": "x", **options})
    assert extra in told.value.remedy
