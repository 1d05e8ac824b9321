"""Check runs, against a stand-in for GitHub's API: what is told, how much at once, and by whom."""

import json
import time
import unicodedata

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from database.transaction import open_database, reading, transaction
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch import wiring
from keywatch.checkruns import MOST, CheckRuns, conclusion
from keywatch.config import Settings
from keywatch.config_streams import RepositorySettings
from keywatch.demo.leak import repository_with_amended_leak
from keywatch.pushes import Pushes
from keywatch.voice import Voice
from scanner.receipt import Receipt
from scanner.run import Report
from streams import repoqueue
from tests.httpd import serving
from tests.keywatch.test_pushes import git
from tests.scanner.reporting import finding, hostile_report
from vocabulary.errors import ConfigError, ServiceError
from vocabulary.finding import Place
from vocabulary.repository import RepoEvent

HEAD, NOW = "b" * 40, 1_750_000_000.0
EVENT = RepoEvent(
    "d-1", "github", "https://git.example/acme/shop.git", "refs/heads/main", "a" * 40, HEAD,
    private=True, received_at=NOW,
)  # fmt: skip


def github(asked):
    """Answer as GitHub does."""
    if asked.path.endswith("/installation"):
        return 200, {}, b'{"id": 42, "account": {}}'
    if asked.path.endswith("/access_tokens"):
        return 201, {}, json.dumps({"token": "of-the-installation", "expires_at": ""}).encode()
    return 201, {}, b'{"id": 4711, "status": "completed"}'


def told(server, method="POST"):
    return [
        json.loads(one.body)
        for one in server.asked
        if one.method == method and "check-runs" in one.path
    ]


def report(*findings, incomplete=()):
    return Report(findings, Receipt(incomplete=list(incomplete)))


def checks(server, **more):
    settings = RepositorySettings(github_api=server.url, github_token="not-a-token", **more)
    return CheckRuns(settings, "https://console.example", clock=lambda: NOW)


def test_a_clean_push_is_a_success():
    with serving(github) as server:
        assert checks(server).report(EVENT, report())
    (run,) = told(server)
    assert server.asked[0].path == "/repos/acme/shop/check-runs"
    assert server.asked[0].headers["authorization"] == "Bearer not-a-token"
    assert (run["head_sha"], run["conclusion"], run["status"]) == (HEAD, "success", "completed")
    assert run["output"]["annotations"] == []
    assert run["details_url"] == "https://console.example/leaks"


def test_what_could_not_be_scanned_is_no_success():
    assert conclusion(report(incomplete=["an object is missing"])) == "action_required"
    assert conclusion(report(finding(), incomplete=["an object is missing"])) == "failure"


def test_many_findings_are_told_fifty_at_a_time_the_worst_first():
    places = tuple(Place(f"f{n}.py", n) for n in range(119))
    mild = finding(places=places, severity="medium", path="f0.py")
    with serving(github) as server:
        worst = finding(severity="critical", places=(Place("worst.py", 1),))
        checks(server).report(EVENT, report(mild, worst))
    (first,), rest = told(server), told(server, "PATCH")
    parts = [one["output"]["annotations"] for one in (first, *rest)]
    assert [len(part) for part in parts] == [50, 50, 20]
    assert parts[0][0]["title"].startswith("critical")
    assert [one["annotation_level"] for one in parts[0][:2]] == ["failure", "warning"]
    assert len({json.dumps(one) for part in parts for one in part}) == 120
    assert all(one.path == "/repos/acme/shop/check-runs/4711" for one in server.asked[1:])
    assert all(one["start_line"] >= 1 for one in parts[0])


def test_more_places_than_a_check_run_holds_are_left_to_the_summary():
    places = tuple(Place(f"f{n}.py", n + 1) for n in range(MOST + 500))
    with serving(github) as server:
        checks(server).report(EVENT, report(finding(places=places)))
    marks = [one["output"]["annotations"] for one in (*told(server), *told(server, "PATCH"))]
    assert sum(map(len, marks)) == MOST


def test_hostile_names_stay_text():
    with serving(github) as server:
        checks(server).report(EVENT, hostile_report())
    (run,) = told(server)
    texts = [run["output"]["title"], run["output"]["summary"].replace("\n", "")]
    texts += [str(said) for one in run["output"]["annotations"] for said in one.values()]
    assert len(texts) > 50
    assert not {c for said in texts for c in said if unicodedata.category(c) in ("Cc", "Cf", "Cs")}
    assert all(len(said) < 65_535 for said in texts)


def test_other_forges_and_ended_branches_get_none():
    with serving(github) as server:
        one = checks(server)
        for other in (
            {"forge": "gitlab"}, {"forge": "poll"}, {"after": "0" * 40},
            {"repository": "https://git.example/shop"}, {"repository": "https://git.example/../x"},
        ):  # fmt: skip
            fields = {name: getattr(EVENT, name) for name in EVENT.__struct_fields__} | other
            assert not one.report(RepoEvent(**fields), report())
    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "error"), [(500, ServiceError), (422, ServiceError), (403, ConfigError)]
)
def test_a_refusal_says_whether_asking_again_may_help(status, error):
    with serving(lambda _: (status, {}, b"{}")) as server, pytest.raises(error) as said:
        checks(server).report(EVENT, report())
    assert str(status) in str(said.value)
    assert "not-a-token" not in str(said.value)


def test_check_runs_need_somebody_to_write_them():
    with pytest.raises(ConfigError, match="github_app"):
        CheckRuns(RepositorySettings(github_api="https://api.github.com"))


@pytest.fixture(scope="module")
def app_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def key_file(app_key, tmp_path):
    plain = serialization.NoEncryption()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "app.pem").write_bytes(app_key.private_bytes(*form))
    return str(tmp_path / "app.pem")


def test_an_app_signs_its_own_token_and_keeps_the_installations(app_key, key_file):
    with serving(github) as server:
        settings = RepositorySettings(
            github_api=server.url, github_app="Iv1.abc", github_app_key=key_file
        )
        one = CheckRuns(settings, clock=time.time)
        one.report(EVENT, report())
        one.report(EVENT, report())
    paths = [asked.path for asked in server.asked]
    assert paths == [
        "/repos/acme/shop/installation",
        "/app/installations/42/access_tokens",
        *["/repos/acme/shop/check-runs"] * 2,
    ]
    own = server.asked[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(own, app_key.public_key(), algorithms=["RS256"])
    assert claims["iss"] == "Iv1.abc"
    assert claims["exp"] - claims["iat"] <= 600
    assert server.asked[2].headers["authorization"] == "Bearer of-the-installation"
    assert key_file not in repr(one._app)


def test_a_key_that_is_none_is_refused_without_its_words(tmp_path):
    (tmp_path / "app.pem").write_text("-----BEGIN nothing-----\nabc")
    with serving(github) as server:
        settings = RepositorySettings(
            github_api=server.url, github_app="1", github_app_key=str(tmp_path / "app.pem")
        )
        with pytest.raises(ConfigError, match="no RSA key") as said:
            CheckRuns(settings).report(EVENT, report())
    assert "abc" not in str(said.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        CheckRuns(RepositorySettings(github_api="https://x.example", github_app="1"))


def pushed(folder, server):
    """Return what works pushes off, with a push of a live key in its queue, and the key."""
    url = f"sqlite:///{folder}/keywatch.db"
    engine = open_database(url)
    issued = KeyStore(engine).create(KeyOrder(owner="shop"), actor="test")
    (folder / "acme").mkdir()
    repository = repository_with_amended_leak(folder / "acme" / "shop", issued.secret)
    (repository / "config.py").write_text(f'KEY = "{issued.secret}"\n')
    git(repository, "add", "config.py")
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "Add")
    place = RepositorySettings(
        github_api=server.url, github_token="not-a-token", github_checks=True,
        cache=str(folder / "cache"), local_roots=(str(folder),),
    )  # fmt: skip
    settings = Settings(database=url, repositories=place)
    head = git(repository, "rev-parse", "main")
    event = RepoEvent(
        "d", "github", f"file://{repository}", "refs/heads/main", "0" * 40, head,
        private=False, received_at=time.time(),
    )  # fmt: skip
    with transaction(engine) as connection:
        repoqueue.put(connection, event)
    said = []
    voice = Voice(tell=said.append, alert=said.append)
    policy = wiring.policy(settings)
    pushes = Pushes(engine, settings, policy, frozenset(), voice, lambda: None)
    return pushes, engine, issued, said


def test_a_push_with_a_live_key_is_a_failed_check_that_never_shows_it(tmp_path):
    with serving(github) as server:
        pushes, engine, issued, _ = pushed(tmp_path, server)
        pushes.work_off()
    (run,) = told(server)
    assert run["conclusion"] == "failure"
    marks = {(one["path"], one["start_line"]) for one in run["output"]["annotations"]}
    assert ("config.py", 1) in marks
    assert issued.key.id in json.dumps(run)
    assert issued.secret not in json.dumps(run)
    assert issued.secret[12:40] not in json.dumps(run)
    engine.dispose()


def test_while_github_is_away_the_key_is_answered_for_and_the_check_waits(tmp_path):
    with serving(lambda _: (503, {}, b"")) as server:
        pushes, engine, issued, said = pushed(tmp_path, server)
        pushes.work_off()
        assert any("503" in str(one) for one in said)
    with reading(engine) as connection:
        alerts = connection.exec_driver_sql("SELECT subject FROM alerts").scalars().all()
        states = connection.exec_driver_sql("SELECT state FROM repo_events").scalars().all()
    assert alerts == [issued.key.id]
    assert states == ["waiting"]
    engine.dispose()
