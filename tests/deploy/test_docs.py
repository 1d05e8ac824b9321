"""The documentation: its commands are run, its links lead somewhere, and it becomes a site."""

import re
import shlex
import shutil
import subprocess
import sys

import psycopg
import pytest
import yaml

from tests.deploy.docpages import DOCS, GUIDES, ROOMS, ROOT, blocks, command_lines, run
from tests.deploy.words import refuse_unknown
from tests.services import need, tool
from vocabulary import toml

PAGES = sorted(DOCS.rglob("*.md"))
READ = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
ELSEWHERE = {"kafka.md": "tests/keywatch/test_watch_kafka.py"}
"""Guides that are run where their service already runs."""


def name(page):
    return str(page.relative_to(ROOT))


def held(ran):
    """Fail unless a page ran to its end, with the answers that it tells."""
    assert ran.code == 0, ran.said[-3000:]
    assert ran.statuses == ran.expected, ran.said[-3000:]
    return ran.said


@pytest.mark.service
def test_every_command_of_the_tutorial_works_in_its_order(tmp_path):
    need("nginx")
    assert sum(block.is_run for block in blocks(DOCS / "tutorial.md")) >= 8
    ran = run(DOCS / "tutorial.md", tmp_path)
    assert ran.expected == ("401", "200")
    assert "rows are proven" in held(ran)


@pytest.mark.service
def test_the_guide_to_gateways_works(tmp_path):
    need("nginx")
    need("caddy")
    tool("traefik")
    ran = run(GUIDES / "gateways.md", tmp_path)
    assert len(ran.expected) >= 10
    held(ran)


@pytest.mark.service
def test_the_guide_to_postgresql_works(tmp_path, postgresql_server):
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE guide")
    here = f"{postgresql_server.rsplit('/', 1)[0]}/guide"
    url = "postgresql://keywatch@127.0.0.1/keywatch"
    assert "ada" in held(run(GUIDES / "postgresql.md", tmp_path, replaced={url: here}))


def test_the_guide_to_logs_works(tmp_path):
    held(run(GUIDES / "logs.md", tmp_path))


def test_the_guide_to_repositories_works(tmp_path):
    held(run(GUIDES / "repositories.md", tmp_path))


def test_the_guide_to_other_scanners_works(tmp_path):
    said = held(run(GUIDES / "migrating.md", tmp_path))
    assert said.count("1 of 1 entries mean 1 findings") == 2


def test_the_guide_to_extending_works_and_keeps_its_word(tmp_path):
    """It works in a checkout: here a copy of the rooms."""
    page = GUIDES / "extending.md"
    work = tmp_path / "checkout"
    for room in ROOMS:
        shutil.copytree(ROOT / room, work / room)
    (work / ".venv" / "bin").mkdir(parents=True)
    for program, words in (("python", ""), ("keywatch", " -m keywatch")):
        file = work / ".venv" / "bin" / program
        file.write_text(f'#!/bin/sh\nPYTHONPATH="{work}" exec "{sys.executable}"{words} "$@"\n')
        file.chmod(0o755)
    here = f"cd {work}\n"
    first = next(block.text for block in blocks(page) if block.is_run)
    held(run(page, tmp_path, replaced={first: here + first}))
    written = re.findall(
        r"^cat > \S+\.(?:py|toml) <<'END'\n(.*?)^END$", page.read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(written) >= 4
    assert max(text.count("\n") for text in written) <= 30


def test_every_guide_is_run_by_a_test():
    here = (ROOT / "tests" / "deploy" / "test_docs.py").read_text()
    for page in GUIDES.glob("*.md"):
        if any(block.is_run for block in blocks(page)):
            place = ELSEWHERE.get(page.name)
            assert page.name in ((ROOT / place).read_text() if place else here)


@pytest.mark.parametrize("page", READ, ids=name)
def test_what_a_page_tells_to_type_is_known_to_the_command_line(page):
    for line in command_lines(page):
        refuse_unknown(shlex.split(line, comments=True)[1:])


def test_nothing_installs_keywatch_from_an_index_where_it_is_not():
    """What bears its name there would be somebody else's."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for file in listed.stdout.splitlines():
        path = ROOT / file
        if file.startswith(("docs/", "deploy/", "README", "CONTRIBUTING")) and path.is_file():
            text = path.read_bytes().decode(errors="replace")
            asked = r"(?:pipx?|tool) install (?:-\S+ )*['\"]?keywatch(?!-)(?:\[[\w,]+\])?+(?! @)"
            found = [line for line in text.splitlines() if re.search(asked, line)]
            assert all("would install something else" in line for line in found), (file, found)


def test_what_is_not_run_says_why():
    marks = [block.mark for page in PAGES for block in blocks(page) if block.mark]
    assert all(re.match(r"(not run|service): \S", mark) for mark in marks), marks


@pytest.mark.parametrize("page", READ, ids=name)
def test_configuration_in_a_page_can_be_read(page):
    for block in blocks(page):
        if block.kind == "toml":
            toml.tree_of(block.text, name(page))
        elif block.kind == "yaml":
            yaml.safe_load(block.text)
        elif block.kind == "python":
            compile(block.text, name(page), "exec")


@pytest.mark.parametrize("page", READ, ids=name)
def test_the_links_of_a_page_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", link) and not link.startswith("#"):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_the_docs_become_a_site_that_fetches_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "tutorial.html").read_text()
    fetched = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:)?//', page)
    assert not fetched
