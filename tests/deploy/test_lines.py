"""Every command line that a page shows is run, in the page's order, where all is that it names.

What takes a service, a terminal or for ever is run by the test that ELSEWHERE names.
"""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import copy
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest

from keystore.identities import Client
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.cli import run
from tests.databases import open_empty
from tests.deploy.docpages import DOCS, ROOT, blocks
from tests.keywatch.traffic import START, line, ordinary

PAGES = ("manual.md", "keystore.md", "scanning.md", "actions.md", "console.md", "privacy.md")
SHOWN = re.compile(r"^    ((?:git diff|app 2>&1|keywatch)\b.*)$", re.MULTILINE)
ELSEWHERE = {
    "keywatch serve": "tests/gateway/test_serve.py",
    "keywatch users add": "tests/console/test_people.py",
    "keywatch mcp": "tests/console/test_mcp.py",
    "keywatch spark": "tests/keywatch/test_spark.py",
    "keywatch watch        #": "tests/keywatch/test_watch_kill.py",
    "keywatch keys import --from": "tests/keystore/test_bulk.py",
    "keywatch scan . --verify": "tests/scanner/test_verify.py",
}
BEFORE = {"privacy.md": ["keywatch accounts create acme"]}
"""What a page is about, where it makes none itself."""

FOUND = ("scan", "doctor", "rules test")
"""Commands that tell by exit code 1 that there was something."""


def shown(page):
    """Return the lines of a page, continued ones in one piece, that are not run elsewhere."""
    lines = SHOWN.findall((DOCS / page).read_text().replace("\\\n", " "))
    return [one for one in lines if not one.startswith(tuple(ELSEWHERE))]


@contextmanager
def inside(folder):
    """Be in a folder, with the programs that are there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
        patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        patch.setenv("PYTHONPATH", str(ROOT))
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    with inside(folder):
        return House(folder)


@pytest.fixture
def house(built, tmp_path):
    """A copy of the house: no page finds what another one has left behind."""
    folder = tmp_path / "house"
    shutil.copytree(built.folder, folder)
    with inside(folder):
        yield built.moved(folder)


class House:
    """A folder with a repository, a key store, a month of logs and what pages call by a name."""

    def __init__(self, folder):
        self.folder = folder
        engine = open_empty(f"sqlite:///{folder}/keywatch.db")
        self.store = KeyStore(engine)
        self.leaked, used = (self.store.create(KeyOrder(), actor="test") for _ in range(2))
        client = self.store.identities.register_client(Client(), KeyOrder(), actor="test")
        self.names = {"KEY": used.key.id, "ID": client.key.id, "REPOSITORY": "."}
        self.names |= {"DIRECTORY": "src", "FILE": "src/a.py", "NUMBER": "1", "…": "…"}
        self.logs(used)
        self.files()
        self.repository()
        self.run("keywatch watch --once --access-log access.log.1")
        self.run("keywatch users add bench --role admin --stdin < password")
        engine.dispose()

    def moved(self, folder):
        """Return the house as it is in a copy of its folder."""
        other = copy(self)
        other.folder, other.names = folder, dict(self.names)
        return other

    def logs(self, used):
        month = [one.replace('"key_0"', f'"{used.key.id}"') for one in ordinary(20, per_hour=4)]
        secrets = [self.store.create(KeyOrder(), actor="test").secret for _ in range(3)]
        late = START.replace(month=10, day=6)
        month += [line(late, used.key.id, "8.8.8.8", f"/v1/{secret}") for secret in secrets]
        (self.folder / "access.log.1").write_text("\n".join(month) + "\n")
        (self.folder / "access.log").write_text("\n".join(month[:50]) + "\n")

    def files(self):
        made = self.folder
        rules = next(b.text for b in blocks(DOCS / "scanning.md") if 'provider = "acme"' in b.text)
        (made / "acme.toml").write_text(rules)
        (made / "src").mkdir()
        (made / "src" / "a.py").write_text("A = 1\n")
        (made / "leaked-secret").write_text(self.leaked.secret)
        (made / "password").write_text("a long enough password\n")
        with (made / "keys.csv").open("w") as file:
            rows = [("key_sha256", "email"), (sha256(b"old").hexdigest(), "old@acme.example")]
            csv.writer(file).writerows(rows)
        (made / ".gitleaksignore").write_text("")
        (made / ".secrets.baseline").write_text(json.dumps({"version": "1.5.0", "results": {}}))
        (made / ".gitleaks.toml").write_text('[[rules]]\nid = "x"\nregex = "acme_[a-z0-9]{32}"\n')
        (made / "bin").mkdir()
        for name, does in (
            ("keywatch", f'exec "{sys.executable}" -m keywatch "$@"'),
            ("app", "echo nothing to hide"),
        ):
            (made / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
            (made / "bin" / name).chmod(0o755)

    def repository(self):
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("add", "src", "acme.toml")
        self.git("commit", "--quiet", "--message", "first")
        self.git("checkout", "--quiet", "-b", "topic")
        (self.folder / "src" / "a.py").write_text(f'KEY = "{self.leaked.secret}"\n')
        self.git("add", "src")
        self.git("commit", "--quiet", "--message", "second")

    def git(self, *arguments):
        who = ("-c", "user.name=ann", "-c", "user.email=ann@acme.example")
        subprocess.run(["git", *who, *arguments], check=True, cwd=self.folder)

    def put_in(self, text):
        """Return a line with what is here in the place of what it names."""
        names = self.names
        if "ALERT" in text:
            names["ALERT"] = json.loads(self.run("keywatch alerts list --json"))[0]["id"]
        if "FINGERPRINT" in text and "FINGERPRINT" not in names:
            found = self.run("keywatch scan . --format json --no-cache")
            names["FINGERPRINT"] = json.loads(found)["findings"][0]["fingerprint"]
        text = text.replace("7c9e…", "7c9e").replace("AB:CD:…", ":".join(["AB"] * 32))
        return re.sub(r"\b[A-Z]{2,}\b", lambda m: names.get(m[0], m[0]), text)

    def run(self, text):
        """Run one line as a shell would; return what it said on standard output."""
        typed = text.partition(" #")[0]
        if "; " in typed:
            return "".join(self.run(each) for each in typed.split("; "))
        words = shlex.split(text, comments=True)
        if {"|", "<", ">>"} & set(words):
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", text], capture_output=True, text=True, check=False
            )
            code, said, told = done.returncode, done.stdout, done.stderr
        else:
            found = [
                sorted(map(str, Path().glob(word))) if "*" in word else [word] for word in words[1:]
            ]
            out, err = StringIO(), StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                code = run([one for word in found for one in word])
            said, told = out.getvalue(), err.getvalue()
        allowed = (0, 1) if any(f" {what} " in text for what in FOUND) else (0,)
        assert code in allowed, (text, code, told)
        return said


@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_a_page_works(house, page):
    for text in [*BEFORE.get(page, ()), *shown(page)]:
        house.run(house.put_in(text))


def test_the_pages_show_what_is_looked_for_and_the_rest_is_run_by_the_tests_that_are_named():
    assert sum(len(shown(page)) for page in PAGES) > 60
    for text, test in ELSEWHERE.items():
        verb = text.split()[1]
        assert verb in (ROOT / test).read_text(), test
