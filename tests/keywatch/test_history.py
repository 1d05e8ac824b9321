"""A history that is read again is read as `keywatch watch` would read it."""

import hmac
import json
import secrets
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from database.transaction import open_database
from detectors.geoip import GeoReader
from detectors.store import ProfileStore
from keywatch.cli import run
from keywatch.config import Settings
from keywatch.history import batches, reading
from keywatch.rebuilding import rebuild
from keywatch.replay import KeyList
from keywatch.sources import proxies_of
from tests.keywatch.traffic import START, line, ordinary, theft

FORMAT = ("--format", "nginx-json")
PROXY = "10.9.0.1"
CONFIG = f"""
[[sources]]
path = "access.log"
format = "nginx-json"
trusted_proxies = ["{PROXY}"]
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///here.db")


def behind_the_proxy(line):
    row = json.loads(line)
    row |= {"http_x_forwarded_for": row["remote_addr"], "remote_addr": PROXY}
    return json.dumps(row)


def called(line, names):
    row = json.loads(line)
    return json.dumps(row | {"api_key_id": names.get(row["api_key_id"], row["api_key_id"])})


def written(name, lines):
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def profile(capsys, key):
    capsys.readouterr()
    assert run(["keys", "profile", key, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def replayed(capsys, log, *more):
    capsys.readouterr()
    assert run(["replay", log, *FORMAT, "--alerts", "alerts.jsonl", *more]) == 0
    capsys.readouterr()
    return [json.loads(line) for line in Path("alerts.jsonl").read_text().splitlines()]


def test_proxies_are_believed_as_they_are_live(capsys):
    Path("keywatch.toml").write_text(CONFIG)
    lines = list(ordinary(20, keys=2, hours=range(8, 18)))
    lines += theft(20, "key_0")
    log = written("access.log", map(behind_the_proxy, lines))
    # Behind a proxy that is not believed there are no networks to tell a thief by.
    assert any(one["family"] == "network" for one in replayed(capsys, log))
    assert run(["watch", "--once"]) == 0
    live = profile(capsys, "key_1")["networks"]
    assert run(["keys", "rebuild", "key_1", log, *FORMAT]) == 0
    with Path(log).open("a") as more:
        more.write(behind_the_proxy(called(lines[0], {"key_0": "key_1"})) + "\n")
    assert run(["watch", "--once"]) == 0
    again = profile(capsys, "key_1")["networks"]
    assert [one["network"] for one in again] == [one["network"] for one in live]


def test_what_may_come_late_by_the_configuration_is_not_late_in_a_history(capsys):
    lines = list(ordinary(2, keys=1, per_hour=4))
    late = line(START + timedelta(days=1, hours=22), "key_0", "8.8.8.8")
    log = written("access.log", [*lines, late])
    how = Path("keywatch.toml")
    for lateness_s, count in ((0, 1), (3 * 3600, 0)):
        how.write_text(f'[[sources]]\npath = "access.log"\nlateness_s = {lateness_s}\n')
        capsys.readouterr()
        assert run(["replay", log, *FORMAT, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["late"] == count
        assert run(["watch", "--once"]) == 0
        assert run(["keys", "rebuild", "key_0", log, *FORMAT]) == 0
        assert taken_up(open_database("sqlite:///here.db"), "key_0")["late"] == count


@pytest.mark.parametrize("indent", [None, 4])
def test_files_of_cloudtrail_are_read_as_they_are_and_indented(indent, capsys):
    records = [
        {
            "eventTime": (START + timedelta(minutes=i)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "s3.amazonaws.com", "eventName": "GetObject",
            "userIdentity": {"accessKeyId": "key_0"}, "sourceIPAddress": "8.8.8.8",
            "userAgent": "aws-cli/2.17", "resources": [{"ARN": f"a {{ of {i}"}] * 9,
        }
        for i in range(2000)
    ]  # fmt: skip
    # In one line, too, it is longer than a line of other logs may be.
    log = written("trail.json", [json.dumps({"Records": records}, indent=indent)])
    assert run(["replay", log, "--format", "cloudtrail", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["lines"], told["events"], told["rejected"]) == (2000, 2000, {})


@pytest.fixture
def imported():
    """Return the ids of three keys of the store, which the log has in clear."""
    names = {f"key_{i}": secrets.token_hex(6) for i in range(3)}
    Path("keywatch.toml").write_text('[keys.peppers]\nlegacy = "a pepper of a test"\n')
    rows = [
        {"hash": hmac.digest(b"a pepper of a test", raw.encode(), "sha256").hex(), "name": name,
         "pepper": "legacy"} if name == "key_1" else
        {"hash": sha256(raw.encode()).hexdigest(), "name": name}
        for name, raw in names.items()
    ]  # fmt: skip
    Path("old.json").write_text(json.dumps(rows))
    assert run(["keys", "import", "old.json"]) == 0
    return names


def ids(capsys):
    capsys.readouterr()
    assert run(["keys", "list", "--json"]) == 0
    return {one["name"]: one["id"] for one in json.loads(capsys.readouterr().out)}


def test_keys_in_clear_are_known_by_their_hash_and_shown_nowhere(imported, capsys):
    lines = [called(line, imported) for line in ordinary(20, keys=3, hours=range(8, 18))]
    lines += [called(line, imported) for line in theft(20, "key_0")]
    log, known = written("access.log", lines), ids(capsys)
    assert {one["key"] for one in replayed(capsys, log)} >= {known["key_0"]}
    assert run(["keys", "rebuild", known["key_1"], log, *FORMAT]) == 0
    events = sum(imported["key_1"] in line for line in lines)
    out = capsys.readouterr()
    assert f"{events} requests of {known['key_1']}" in out.out
    assert run(["tune", log, *FORMAT, "--target-alerts-per-day", "1", "--json"]) == 0
    tuned = capsys.readouterr()
    told = json.loads(tuned.out)
    rows = [*told["lost"], *told["gained"]]
    assert rows
    assert {row["key"] for row in rows} <= set(known.values())
    shown = out.out + out.err + tuned.out + tuned.err + Path("alerts.jsonl").read_text()
    assert not any(raw in shown for raw in imported.values())


def test_what_the_store_knows_of_keys_is_used_where_no_file_tells_it(capsys):
    assert run(["keys", "create", "--owner", "ada", "--tz", "Asia/Tokyo", "--json"]) == 0
    key = json.loads(capsys.readouterr().out)["id"]
    with reading(Settings(database="sqlite:///here.db"), "nginx-json") as how:
        assert list(how.known([key, "key_9"])) == [True, False]
        assert how.facts([key], KeyList(), {"*": 0.5})[key].tz == "Asia/Tokyo"
        assert how.facts([key], KeyList(), {"*": 0.5})[key].sensitivity == 0.5


def hello(number):
    return f"t13d1516h2_8daaf61527{number:02d}_02713d6af862"


def test_a_rebuilt_profile_has_its_own_fingerprints_and_believes_no_future():
    rows = [
        {
            "ts_ms": int((START + timedelta(days=day, minutes=minute)).timestamp() * 1000),
            "key": f"key_{minute % 2}", "ip": "8.8.8.8", "method": "GET", "path": "/v1/a",
            "status": 200, "size": 1, "agent": "acme", "tls": hello(minute % 2),
        }
        for day in range(5)
        for minute in range(40)
    ]  # fmt: skip
    rows += [{**rows[1], "ts_ms": 32_503_680_000_000}]  # in the year 3000
    log = written("own.log", [json.dumps(row) for row in rows])
    engine = open_database("sqlite:///here.db")
    found = {}
    with reading(Settings(), "keywatch-json") as how:
        for key in ("key_0", "key_1"):
            history = batches([Path(log)], how, print, lambda _: None)
            assert rebuild(engine, key, history, {}, GeoReader()) == 100 + (key == "key_1")
            found[key] = taken_up(engine, key)
    assert found["key_0"]["tls"][0] != found["key_1"]["tls"][0]
    assert all((row["tls"] != 0).sum() == 1 for row in found.values())
    assert found["key_1"]["clock"] < 4_000_000_000_000


def taken_up(engine, key):
    return ProfileStore(engine).rebuilt(key)[0]


def test_proxies_of_all_sources_are_believed():
    config = msgspec.toml.decode(CONFIG, type=Settings)
    assert [str(one) for one in proxies_of(config).networks] == [f"{PROXY}/32"]
