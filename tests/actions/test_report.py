"""Reports, of which attackers wrote parts, and the remedy of a leak, carried out for real."""

import json
import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.executor import Executor
from actions.policy import parse
from actions.telling.document import Code, Heading, Paragraph, Table, escaped, html, markdown
from database.transaction import transaction
from keystore import usage
from keystore.issue import KeyOrder
from keystore.usage import HOUR_S, Use
from tests.actions.desk import alert_about
from tests.actions.messages import HOSTILE
from vocabulary.errors import UsageError


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs


def seen(page):
    parser = Tags()
    parser.feed(page)
    return parser


OURS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "table", "thead",
    "tbody", "tr", "th", "td", "pre",
}  # fmt: skip


@given(st.text())
def test_nothing_of_a_text_is_markup(text):
    blocks = [Heading(text, 1), Paragraph(text), Table((text,), [(text,)]), Code("echo")]
    assert seen(html(blocks)).tags <= OURS
    lines = markdown(blocks).split("\n")
    assert len(lines) == 12
    said = re.sub(r"\\.|&(lt|gt|amp);", "", escaped(text))
    assert not set("\\`*_{}[]<>()#|~@:=$^!") & set(said)


def test_an_incident_is_written_up_with_everything_and_nothing_is_markup(desk, run):
    desk.now = time.time()
    key = desk.key(owner=HOSTILE)
    desk.answer(alert_about(key, severity="critical", summary=HOSTILE))
    Executor(desk.engine, clock=desk.clock).run_once()
    ((incident),) = json.loads(run("incidents", "list", "--json"))
    run("incidents", "note", incident["id"], HOSTILE.replace("\0", ""))
    page = run("report", "incident", incident["id"], "--format", "html")
    assert seen(page).tags == OURS - {"pre", "h3"}
    assert not {name for name, _ in seen(page).attributes if name.startswith("on")}
    text = run("report", "incident", incident["id"][:9])
    for said in ("Timeline", "Evidence", "What was done", "Who was told", "Seals", "revoke"):
        assert said in page
        assert said in text
    assert "<script" not in page
    assert "<script" not in text
    assert "\x1b" not in text


@pytest.fixture
def leaked(tmp_path, desk):
    """A key that stands in two versions of a file of a repository."""
    secret = desk.store.create(KeyOrder(environment="live", owner="ann"), actor="ann")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number in range(2):
        file = folder / "settings`.py"
        file.write_text(f"VERSION = {number}\nKEY = '{secret.secret}'\nOTHER = 'kept'\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"version {number}")
    return folder, secret


def environment():
    """Return an environment in which git finds filter-repo, and an author."""
    names = [f"GIT_{role}_{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    own = str(Path(sys.executable).parent)
    path = f"{own}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **dict.fromkeys(names, "a@b.example"), "PATH": path}


def ran(folder, *command):
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def git(folder, *words):
    return ran(folder, "git", *words)


def history(folder):
    return git(folder, "log", "-p", "--all")


def commands_of(text):
    (found,) = re.findall(r"```sh\n(.*?)\n```", text, re.DOTALL)
    return found


def test_the_remedy_of_a_leak_purges_it_and_never_shows_the_secret(desk, run, leaked, tmp_path):
    folder, issued = leaked
    run("scan", folder, "--act", "--no-cache", exit_code=1)
    text = run("report", "leak", issued.key.id)
    page = run("report", "leak", issued.key.id, "--format", "html")
    assert issued.secret not in text + page
    assert text.count("settings") == 3  # its exposure, and each of its places
    assert f"keywatch keys rotate {issued.key.id}".replace("_", r"\_") in text
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--no-local", folder, clone)
    assert issued.secret in history(clone)
    ran(clone, "sh", "-c", "set -e\n" + commands_of(text))
    assert issued.secret not in history(clone)
    assert "OTHER = 'kept'" in history(clone)
    assert "***REMOVED***" in history(clone)


def test_versions_are_purged_where_the_secret_is_not_known(leaked, tmp_path):
    from actions.remedy import commands  # noqa: PLC0415

    folder, issued = leaked
    listed = git(folder, "rev-list", "--all", "--objects", "--no-object-names").split()
    blobs = [one for one in listed if git(folder, "cat-file", "-t", one).strip() == "blob"]
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--no-local", folder, clone)
    ran(clone, "sh", "-c", "set -e\n" + commands(blobs))
    assert issued.secret not in history(clone)


def test_nothing_that_is_no_hash_gets_into_a_command():
    from actions.remedy import commands, guide  # noqa: PLC0415

    hostile = {"path": "x'; rm -rf ~", "blob": "$(rm -rf ~)", "commit": "`id`"}
    assert guide({"places": [hostile]}).commands == ""
    assert "rm" not in commands(["0" * 40], "'; rm -rf ~")


def test_revoked_keys_are_watched_on(desk, run):
    desk.now = time.time() - 5 * HOUR_S
    keys = [desk.key() for _ in range(3)]
    for key in keys[:2]:
        desk.store.revoke(key, actor="ann")
    hour = int(desk.now // HOUR_S) * HOUR_S

    def tried(key, after, network, n, status=4):
        return Use(key, hour + after * HOUR_S, "GET", status, network, n)

    uses = [
        tried(keys[0], 1, "203.0.113.0/24", 5),
        tried(keys[0], 2, "198.51.100.0/24", 7),
        tried(keys[0], -1, "192.0.2.0/24", 9),  # before it ended
        tried(keys[0], 1, "192.0.2.0/24", 9, status=2),
        tried(keys[2], 1, "203.0.113.0/24", 3),  # works
    ]
    with transaction(desk.engine) as connection:
        usage.record(connection, uses, {}, desk.now)
    (row,) = json.loads(run("report", "revoked", "--json"))
    assert (row["key"], row["owner"], row["requests"]) == (keys[0], "ann", 12)
    assert row["networks"] == {"198.51.100.0/24": 7, "203.0.113.0/24": 5}
    assert keys[0] in run("report", "revoked")


@pytest.mark.parametrize(
    "words", [("incident", "none"), ("leak", "none"), ("leak", ""), ("revoked", "--since", "soon")]
)
def test_wrong_words_are_refused(run, words):
    with pytest.raises(UsageError):
        run("report", *words)


def test_an_incident_of_an_ended_key_says_that_it_is_still_tried_and_that_nothing_was_done(
    desk, run
):
    desk.now = time.time() - 5 * HOUR_S
    desk.policy = parse('[[case]]\naction = "none"', "p.toml")
    key = desk.key()
    desk.answer(alert_about(key))
    desk.store.revoke(key, actor="ann")
    hour = int(desk.now // HOUR_S + 1) * HOUR_S
    with transaction(desk.engine) as connection:
        usage.record(connection, [Use(key, hour, "GET", 4, "", 5)], {}, desk.now)
    (incident,) = json.loads(run("incidents", "list", "--json"))
    text = run("report", "incident", incident["id"])
    assert "Nothing\\." in text
    assert "It is still tried\\: 5 tries since it ended, from unknown" in text
