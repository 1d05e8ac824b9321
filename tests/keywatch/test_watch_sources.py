"""`keywatch watch` over sources of every kind, from a configuration file."""

import gzip
import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from database.schema import positions
from database.transaction import open_database, reading
from keywatch.cli import run
from keywatch.config_streams import SourceSettings
from keywatch.desk.looking import list_sources
from keywatch.sources import opened
from keywatch.status import status
from streams import formats

CLOUDTRAIL = json.loads(formats.find("cloudtrail").samples[0])
NGINX = formats.find("nginx-json").samples[0]
HEADER = b"#Fields: date time c-ip sc-status cs-username"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def events(capsys):
    capsys.readouterr()
    assert run(["status", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["events"]


def test_reads_patterns_objects_and_shaped_logs_once(folder, capsys):
    Path("keywatch.toml").write_text(
        "[[sources]]\npath = 'logs/*.log'\n"
        "[[sources]]\ntype = 'objects'\npath = 'trail'\nformat = 'cloudtrail'\n"
        "[[sources]]\npath = 'own.txt'\nformat = 'apache'\nlayout = '%a %t \"%r\" %s'\n"
        "[[sources]]\ntype = 'syslog'\nlisten = 'udp://127.0.0.1:0'\n"
    )
    (folder / "logs").mkdir()
    (folder / "trail" / "2025").mkdir(parents=True)
    (folder / "logs" / "a.log").write_bytes(NGINX + b"\n")
    (folder / "logs" / "b.log").write_bytes(NGINX + b"\nbroken\n")
    records = json.dumps({"Records": [CLOUDTRAIL, CLOUDTRAIL]}).encode()
    (folder / "trail" / "2025" / "1.json.gz").write_bytes(gzip.compress(records))
    Path("own.txt").write_text('192.0.2.1 [03/Nov/2025:09:12:44 +0000] "GET /" 200\n')
    for _ in range(2):
        assert run(["watch", "--once"]) == 0
        assert events(capsys) == {"read": 6, "committed": 5, "dead": 1, "late": 0}


def test_a_folder_of_many_objects_is_one_source_with_all_its_figures(folder, capsys, monkeypatch):
    monkeypatch.setattr("streams.sources.objects.MOST_ROWS", 3)
    Path("keywatch.toml").write_text("[[sources]]\ntype = 'objects'\npath = 'logs'\n")
    (folder / "logs").mkdir()
    told = []
    for number in range(4):
        (folder / "logs" / f"{number}.log").write_bytes(NGINX + b"\nbroken\n")
        assert run(["watch", "--once"]) == 0
        assert "lines wait" not in capsys.readouterr().err
        assert run(["status", "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out)["sources"])
    (name,) = told[-1]
    assert name == f"objects:{folder / 'logs'}"
    assert [one[name]["position"]["objects"] for one in told] == [1, 2, 3, 4]
    assert [one[name]["dead"] for one in told] == [1, 2, 3, 4]
    assert len({one[name]["newest"] for one in told}) == 1
    engine = open_database("sqlite:///keywatch.db")
    with reading(engine) as connection:
        (shown,) = list_sources(connection, 0.0).items
        assert (shown.name, shown.dead) == (name, 4)
        assert connection.scalar(select(func.count()).select_from(positions)) == 2


def test_how_late_an_event_may_come_is_its_sources_own(folder, capsys):
    """CloudTrail delivers up to a quarter of an hour late; of ten minutes others are too late."""
    for name, at in (("1", "09:00:00"), ("2", "08:45:00")):
        event = CLOUDTRAIL | {"eventTime": f"2025-11-03T{at}Z"}
        for place in ("trail", "strict"):
            (folder / place).mkdir(exist_ok=True)
            identity = {**CLOUDTRAIL["userIdentity"], "accessKeyId": f"of-{place}"}
            record = json.dumps({"Records": [event | {"userIdentity": identity}]})
            (folder / place / name).write_text(record)
    Path("keywatch.toml").write_text(
        "[[sources]]\ntype = 'objects'\npath = 'trail'\nformat = 'cloudtrail'\n"
        "[[sources]]\ntype = 'objects'\npath = 'strict'\nformat = 'cloudtrail'\nlateness_s = 60\n"
    )
    assert run(["watch", "--once"]) == 0
    capsys.readouterr()
    assert run(["status", "--json"]) == 0
    sources = json.loads(capsys.readouterr().out)["sources"]
    assert {name.rpartition("/")[2]: one["late"] for name, one in sources.items()} == {
        "trail": 0,
        "strict": 1,
    }
    for one in sources.values():  # and however many objects there are, it is one source
        assert one["position"] == {"objects": 2, "unfinished": 0}


def test_a_first_run_without_anything_to_read_says_what_to_do(folder, capsys):
    assert run(["watch", "--once"]) == 0
    said = capsys.readouterr().err
    assert "--access-log" in said
    assert "geoip.asn" in said


@pytest.mark.parametrize("path", ["access.log", "*.log"])
def test_what_was_rotated_before_the_first_commit_is_read(folder, engine, path):
    """The first watch ends before it has committed anything; then the log is rotated."""
    log = folder / "access.log"
    log.write_bytes(NGINX + b"\n")
    entry = SourceSettings(path=str(folder / path), format="nginx-json")
    with opened(engine, [entry], once=False, tell=print):
        pass
    (figures,) = status(engine)["sources"].values()
    assert (figures["position"]["offset"], figures["newest"]) == (0, "")
    log.rename(folder / "access.log.1")
    log.write_bytes(NGINX + b"\n" + NGINX + b"\n")
    with opened(engine, [entry], once=True, tell=print) as (stream,):
        lines = []
        while not stream.source.done:
            chunk = stream.source.read(10, 0.0)
            lines += chunk.lines if chunk else ()
    assert len(lines) == 3


def test_a_header_is_known_after_a_restart(folder, capsys):
    Path("keywatch.toml").write_text("[[sources]]\npath = 'iis.log'\nformat = 'iis'\n")
    log = folder / "iis.log"
    log.write_bytes(HEADER + b"\n2025-11-03 09:12:44 192.0.2.1 200 jo\n")
    assert run(["watch", "--once"]) == 0
    with log.open("ab") as file:
        file.write(b"2025-11-03 09:12:45 192.0.2.1 200 jo\n")
    assert run(["watch", "--once"]) == 0
    assert events(capsys)["committed"] == 2


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("type = 'http'\nlisten = '127.0.0.1:0'", "needs `tokens`"),
        ("type = 'http'\nlisten = 'nowhere'\ntokens = ['a']", "no host:port"),
        ("type = 'syslog'\nlisten = '127.0.0.1:1'", "neither udp:// nor tcp://"),
        ("type = 'objects'", "needs `path`"),
        ("path = 'x'\nformat = 'apache'\nlayout = '%h'", "holds no time"),
    ],
)
def test_refuses_a_source_that_lacks_something(folder, capsys, entry, said):
    Path("keywatch.toml").write_text(f"[[sources]]\n{entry}\n")
    assert run(["watch"]) == 2
    assert said in capsys.readouterr().err


def test_events_that_are_posted_are_committed_before_they_are_acknowledged(folder, capsys):
    Path("keywatch.toml").write_text(
        "[[sources]]\ntype = 'http'\nlisten = '127.0.0.1:0'\ntokens = ['of a test']\n"
    )
    watch = subprocess.Popen([sys.executable, "-m", "keywatch", "watch"], stderr=subprocess.PIPE)
    try:
        while b"taking in events on" not in (line := watch.stderr.readline()):
            assert line
        connection = http.client.HTTPConnection(
            "127.0.0.1", int(line.split(b":")[-1].split(b"/")[0])
        )
        headers = {"Authorization": "Bearer of a test", "Idempotency-Key": "one"}
        for told in ({"status": "committed", "lines": 2, "dead": 1}, {"status": "known"}):
            connection.request("POST", "/events", NGINX + b"\nbroken\n", headers)
            assert json.loads(connection.getresponse().read()) == told
            assert events(capsys) == {"read": 2, "committed": 1, "dead": 1, "late": 0}
        connection.close()
    finally:
        watch.send_signal(signal.SIGTERM)
        watch.stderr.read()
        watch.stderr.close()
        assert watch.wait() == 0
    assert run(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["known"] == {"events": 1}
