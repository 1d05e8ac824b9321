"""Repositories that are polled: what moved is scanned, once."""

import json
import subprocess

import pytest

from actions.exposed import exposures
from database.schema import alerts, repo_events
from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.cli import run
from keywatch.config import Settings, load
from keywatch.config_streams import RepositorySettings
from keywatch.fetching import fetched
from keywatch.organisations import Listed, listed
from keywatch.polling import Polling
from tests.httpd import serving
from vocabulary.errors import ConfigError


def git(folder, *words):
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True)


def commit(folder, name, text):
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-m", name)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-b", "main")
    commit(folder, "README", "hello")
    return folder


@pytest.fixture
def place(tmp_path, repository, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keywatch.toml").write_text(
        f'[repositories]\npoll = ["{repository}"]\ncache = "{tmp_path}/cache"\n'
        f'local_roots = ["{tmp_path}"]\n'
    )
    engine = open_database("sqlite:///keywatch.db")
    yield engine
    engine.dispose()


def rows(engine, table):
    with reading(engine) as connection:
        return connection.execute(table.select()).mappings().all()


def test_what_moved_is_scanned_once(place, repository):
    key = KeyStore(place).create(KeyOrder(owner="shop"), actor="test")
    for _ in range(2):
        assert run(["watch", "--once"]) == 0
        assert len(rows(place, repo_events)) == 1
        assert not rows(place, alerts)
    commit(repository, "settings.py", f'KEY = "{key.secret}"\n')
    git(repository, "branch", "other")
    for _ in range(2):
        assert run(["watch", "--once"]) == 0
        assert [one["body"]["ref"] for one in rows(place, repo_events)] == [
            "refs/heads/main",
            "refs/heads/main",
            "refs/heads/other",
        ]
        assert [one["subject"] for one in rows(place, alerts)] == [key.key.id]


@pytest.mark.parametrize(
    "ref", ["refs/pull/{}/head", "refs/merge-requests/{}/head", "refs/pull-requests/{}/from"]
)
def test_a_key_in_a_request_out_of_a_fork_is_found_and_its_request_named(place, repository, ref):
    key = KeyStore(place).create(KeyOrder(owner="shop"), actor="test")
    git(repository, "checkout", "-q", "-b", "fork")
    commit(repository, "settings.py", f'KEY = "{key.secret}"\n')
    for number in (*range(7, 30), 101):
        git(repository, "update-ref", ref.format(number), "fork")
    git(repository, "update-ref", "refs/pull/7/merge", "fork")
    git(repository, "checkout", "-q", "main")
    git(repository, "branch", "-q", "-D", "fork")
    assert run(["watch", "--once"]) == 0
    refs = [one["body"]["ref"] for one in rows(place, repo_events)]
    assert len(refs) == 21  # the newest, and the branch
    assert {"refs/heads/main", ref.format(101), ref.format(11)} <= set(refs)
    assert ref.format(10) not in refs
    (alert,) = rows(place, alerts)
    assert (alert["subject"], alert["severity"]) == (key.key.id, "critical")
    with reading(place) as connection:
        (one,) = exposures(connection, key.key.id)
    assert one.where.startswith("settings.py:1 (")
    assert "/head)" in one.where or "/from)" in one.where
    assert run(["watch", "--once"]) == 0
    assert len(rows(place, repo_events)) == 21


def test_requests_are_left_alone_where_nobody_wants_them(place, repository, tmp_path):
    with (tmp_path / "keywatch.toml").open("a") as file:
        file.write("poll_requests = 0\n")
    git(repository, "update-ref", "refs/pull/1/head", "main")
    assert Polling(place, load(None).settings, pytest.fail).turn() == 1


def test_a_ref_that_went_is_no_move_and_may_come_back(place, repository):
    polling = Polling(place, load(None).settings, pytest.fail)
    git(repository, "branch", "other")
    assert polling.turn() == 2
    git(repository, "branch", "-D", "other")
    assert polling.turn() == 0
    commit(repository, "more", "text")
    git(repository, "branch", "other")
    assert polling.turn() == 2


def test_a_repository_that_is_away_holds_no_other_up(place, repository, tmp_path):
    told = []
    settings = load(None).settings
    away = RepositorySettings(
        poll=(str(tmp_path / "nowhere"), *settings.repositories.poll),
        cache=settings.repositories.cache,
        local_roots=settings.repositories.local_roots,
    )
    assert Polling(place, Settings(repositories=away), told.append).turn() == 1
    assert "nowhere" in told[0]


def pages(asked):
    """Two pages of an organisation, for whoever shows the token."""
    if "t0ken" not in asked.headers.get("authorization", asked.headers.get("private-token", "")):
        return 401, {}, b""
    first = 100 if asked.path.endswith("page=1") else 3
    if asked.path.startswith("/orgs/acme/repos?"):
        found = [{"clone_url": f"https://g/{n}.git", "private": n > 0} for n in range(first)]
    elif asked.path.startswith("/groups/a%2Fb/projects?"):
        found = [
            {
                "http_url_to_repo": f"https://l/{n}.git",
                "visibility": "public" if not n else "internal",
            }
            for n in range(first)
        ]
    else:
        return 200, {}, b"{}"
    return 200, {}, json.dumps(found).encode()


@pytest.fixture
def forge():
    with serving(pages) as server:
        yield server.url.rstrip("/")


@pytest.mark.parametrize(
    ("name", "address"), [("github:acme", "https://g/0.git"), ("gitlab:a/b", "https://l/0.git")]
)
def test_lists_the_repositories_of_an_organisation(forge, name, address):
    settings = RepositorySettings(
        organisations=(name,),
        github_api=forge,
        gitlab_api=forge,
        github_token="t0ken",
        gitlab_token="t0ken",
    )
    found = list(listed(settings, fetched, pytest.fail))
    assert len(found) == 103
    assert found[0] == Listed(address, private=False)
    assert all(one.private for one in found[1:100])


def test_an_organisation_that_cannot_be_listed_is_told_of_and_holds_no_other_up(forge, monkeypatch):
    names = ("github:else", "gitlab:a/b", "github:acme")
    settings = RepositorySettings(
        organisations=names, github_api=forge, gitlab_api=forge, github_token="t0ken"
    )
    told = []
    assert len(list(listed(settings, fetched, told.append))) == 103
    assert [one.partition(": ")[0] for one in told] == ["github:else", "gitlab:a/b"]
    monkeypatch.setattr("keywatch.organisations.MAX_PAGES", 1)
    assert len(list(listed(settings, fetched, told.append))) == 100
    assert "github:acme" in told[-1]
    assert "more than 100 repositories" in told[-1]


@pytest.mark.parametrize("name", ["acme", "sourcehut:a", "github:"])
def test_refuses_what_is_no_organisation(name):
    with pytest.raises(ConfigError, match="organisations"):
        list(listed(RepositorySettings(organisations=(name,)), fetched, pytest.fail))
