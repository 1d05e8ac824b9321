"""What pages tell to type, apart from those that run as a whole: each command works by itself."""

import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import click
import pytest
from sqlalchemy import select

from actions.decide import ALL
from actions.executor import Executor
from actions.policy import BUILT_IN, load
from actions.respond import respond
from database.schema import audit, findings, incidents, outbox
from database.transaction import open_database, reading, transaction
from keystore import query
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.cli import run
from tests.actions.desk import alert_about
from tests.deploy.docpages import DOCS, ROOT, blocks, command_lines
from tests.deploy.words import refuse_unknown
from tests.keywatch.traffic import ordinary

PAGES = [
    page
    for page in (*sorted(DOCS.glob("*.md")), ROOT / "README.md")
    if not any(block.is_run for block in blocks(page))
]
"""Pages of which nothing is run as a script: the tutorial and the guides are, see test_docs.py."""

ELSEWHERE = {
    "keywatch serve": "a server: tests/console/test_serving.py",
    "keywatch mcp": "a server: tests/console/test_mcp.py",
    "keywatch watch": "it goes on until it is told to end: tests/deploy/test_docs.py",
    "keywatch demo": "tests/keywatch/test_demo.py",
    "keywatch config init": "tests/keywatch/test_config.py",
    "keywatch spark submit": "needs a cluster: tests/keywatch/test_spark.py",
    "keywatch spark backfill": "needs a cluster: tests/keywatch/test_spark.py",
    "keywatch model": "needs weeks of many keys: tests/keywatch/test_model_command.py",
    "keywatch users add": "asks for a password: tests/console/test_people.py",
    "keywatch deadletters replay": "needs its source: tests/keywatch/test_deadletters.py",
    "keywatch stores adopt": "needs a store: tests/keywatch/test_foreign.py",
    "keywatch identities revoke-token": "needs an issuer: tests/keywatch/test_store_commands.py",
    "keywatch rules check": "measures costs for long: tests/deploy/test_docs.py, --no-cost",
    "keywatch scan . --verify": "asks providers: tests/scanner/test_verify.py",
}
"""Commands that are not run here, by how they begin, and where they are."""

NAMES = ("keywatch actions approve", "keywatch hook install", "keywatch scan")
"""In running text these are names of commands, though they could be typed."""

FILES = {
    "keywatch.toml": 'database = "sqlite:///keywatch.db"\n',
    "tests.toml": """[[test]]
name = "a stolen key is revoked"
alert = { severity = "critical" }
expect = { action = "revoke" }
""",
    "acme.toml": """provider = "acme"
[[rule]]
id = "acme-key"
name = "key of Acme"
confidence = "high"
keywords = ["acme_"]
pattern = '(?P<secret>acme_[0-9a-f]{32})'
examples = ['{hex:32}']
""".replace("'{hex", "'acme_{hex"),
    ".gitleaks.toml": """[[rules]]
id = "acme"
description = "key of Acme"
regex = '''acme_[0-9a-f]{32}'''
keywords = ["acme_"]
""",
    ".gitleaksignore": "code/settings.py:generic-api-key:1\n",
    ".secrets.baseline": '{"version": "1.5.0", "results": {}}\n',
    "keys.csv": f"key_sha256,email\n{'0' * 63}1,ann@example.com\n",
}


def name(page):
    return str(page.relative_to(ROOT))


def told(page):
    """Yield each command of a page that says all it needs: without an ellipsis."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    mentioned = (" ".join(one.split()) for one in re.findall(r"`(keywatch [^`]+)`", text))
    typed = [*command_lines(page), *filter(says_all, mentioned)]
    for line in dict.fromkeys(typed):
        if "…" not in line and not line.startswith(tuple(ELSEWHERE)):
            yield line


def says_all(line):
    """Say whether a command in running text is one to type, and not merely its name."""
    if line in NAMES:
        return False
    try:
        refuse_unknown(shlex.split(line)[1:])
    except (click.MissingParameter, click.BadOptionUsage, click.exceptions.NoArgsIsHelpError):
        return False
    return True


class Place:
    """A folder with all that the pages speak of, and the words that stand for its names."""

    def __init__(self, folder, names):
        self.folder, self.names = folder, names

    def words(self, line):
        """Return what to run: with the names of what is here, and patterns as a shell has them."""
        for text, stands_for in self.names.items():
            line = re.sub(rf"(?<![\w-]){re.escape(text)}(?![\w-])", stands_for, line)
        words = []
        for word in shlex.split(line, comments=True)[1:]:
            words += sorted(map(str, Path().glob(word))) if word.endswith("*") else [word]
        return words


def git(folder, *words):
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


def stored(folder):
    """Fill the database: keys that are used, one that leaked, and what was done; return names."""
    engine = open_database(f"sqlite:///{folder}/keywatch.db")
    store, now, policy = KeyStore(engine), time.time(), load()
    order = KeyOrder(owner="ann", environment="live")
    issued = [store.create(order, actor="ann") for _ in "abcde"]
    used, leaked, spare, *others = (one.key.id for one in issued)
    with transaction(engine) as connection:
        known = query.by_ids(connection, others)
        for number, key_id in enumerate(others):
            alert = alert_about(key_id, number=f"{number}f2a", severity="critical")
            respond(connection, alert, known[key_id].known(now), policy, ALL, now)
    Executor(engine, notifiers={"log": lambda *_: None}).run_once()
    engine.dispose()
    (folder / "code").mkdir()
    (folder / "code" / "settings.py").write_text(f'TOKEN = "{issued[1].secret}"\n')
    return {
        "report leak KEY": f"report leak {leaked}",
        "identities revoke ID": f"identities revoke {spare}",
        "KEY": used,
    }


def looked_up(folder):
    """Return the names that pages give to what is in the database by now."""
    engine = open_database(f"sqlite:///{folder}/keywatch.db")
    with reading(engine) as connection:
        done = connection.execute(select(outbox).where(outbox.c.state == "done")).first()
        head = connection.execute(select(audit).order_by(audit.c.seq.desc())).first()
        incident = connection.execute(select(incidents.c.id)).scalars().first()
        fingerprint = connection.execute(select(findings.c.fingerprint)).scalars().first()
    engine.dispose()
    return {
        "inc_3f2a": incident,
        "ALERT": done.alert_id,
        "17": str(done.id),
        "ID": str(done.id),
        "ROW:HASH": f"{head.seq}:{head.hash}",
        "FINGERPRINT": fingerprint,
        "path/to/repository": ".",
        "REPOSITORY": ".",
        "DIRECTORY": "code",
        "DIR": "code",
        "FILE": "code/settings.py",
        "image.tar": "code.tar",
    }


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")
    for file, text in FILES.items():
        (folder / file).write_text(text)
    for file in ("policy.toml", "old.toml", "new.toml"):
        shutil.copy(BUILT_IN, folder / file)
    names = stored(folder)
    history = "\n".join(ordinary(3, keys=1, per_hour=2)).replace("key_0", names["KEY"])
    for file in ("access.log", "access.log.1"):
        (folder / file).write_text(f"{history}\n")
    with tarfile.open(folder / "code.tar", "w") as tar:
        tar.add(folder / "code", "code")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.email", "ann@example.com")
    git(folder, "config", "user.name", "ann")
    git(folder, "add", "code")
    git(folder, "commit", "--quiet", "--message", "settings")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["scan", "code", "--act"]) == 1
        assert run(["watch", "--access-log", "access.log", "--once"]) == 0
    shutil.copy(folder / "keywatch.db", folder / "pristine.db")
    return Place(folder, names | looked_up(folder))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_of_a_page_works(page, prepared, monkeypatch, capfd):
    monkeypatch.chdir(prepared.folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(prepared.folder / "config"))
    for line in told(page):
        words = prepared.words(line)
        with Path("keys.csv").open(encoding="utf-8") as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            code = run(words)
        said = capfd.readouterr()
        with Path("/tmp/typed.log").open("a") as f:
            f.write(f"{code} {words} {said.err[-300:]!r}\n")
    shutil.copy("pristine.db", "keywatch.db")


def test_what_is_not_run_is_run_elsewhere():
    for where in ELSEWHERE.values():
        file = re.search(r"tests/\S+\.py", where)
        assert file
        assert (ROOT / file[0]).is_file()
