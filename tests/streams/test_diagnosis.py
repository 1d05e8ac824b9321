import gzip
import json
import random
import string

import pytest

from keywatch.cli import run
from streams import diagnosis, formats
from streams.addresses import Proxies
from streams.diagnosis import STUFFING, diagnose
from vocabulary.errors import FormatError


@pytest.mark.parametrize("name", formats.names())
def test_knows_every_format_by_its_samples(name):
    found = diagnose(formats.find(name).samples)
    assert name in {found.format.name, *found.others}


def test_says_what_is_missing():
    line = b'{"time_iso8601":"2025-01-01T00:00:00Z","remote_addr":"10.0.0.1","request":"GET / H"}'
    lacks = " ".join(lack.what for lack in diagnose([line]).lacks)
    assert lacks == (
        "no event names a key all client addresses are private no statuses no user agents "
        "no sizes of answers no TLS fingerprints (JA4)"
    )


def test_detectors_are_called_as_alerts_call_them():
    from detectors.words import DETECTORS, SESSION, detector  # noqa: PLC0415  (another room)

    named = {value for name, value in vars(diagnosis).items() if name.isupper()}
    named = {one for one in named if isinstance(one, str) and one.isalpha()}
    assert {"geography", "answers", "session"} <= named
    assert named <= {*DETECTORS.values(), detector(SESSION), STUFFING}


@pytest.mark.parametrize(
    "header", [b"", b"#Software: Microsoft Internet Information Services 10.0"]
)
def test_a_log_of_iis_without_its_fields_is_known_as_one(header):
    lines = [header, b"2025-11-03 09:12:44 10.0.0.11 POST /v1/invoices 443 jo 198.51.100.23 200"]
    with pytest.raises(
        FormatError, match="without the line #Fields that names its 9 fields"
    ) as one:
        diagnose(lines)
    assert "`layout` of format iis" in str(one.value)


def test_the_header_of_a_short_log_is_no_line_that_is_refused():
    fields = b"#Fields: date time cs-method c-ip sc-status cs-username"
    found = diagnose([fields, b"2025-11-03 09:12:44 POST 198.51.100.23 200 jo"])
    assert (found.format.name, found.lines, len(found.parsed)) == ("iis", 1, 1)


def test_forwarded_addresses_that_nobody_believes_are_told_of():
    line = json.loads(formats.find("nginx-json").samples[0]) | {"remote_addr": "192.0.2.9"}
    alone = json.dumps(line | {"http_x_forwarded_for": ""}).encode()
    behind = json.dumps(line | {"http_x_forwarded_for": "203.0.113.7"}).encode()
    assert not any("Forwarded" in one.what for one in diagnose([alone]).lacks)
    (lack,) = [one for one in diagnose([behind, behind]).lacks if "Forwarded" in one.what]
    assert "192.0.2.9 of 2 events: list it under trusted_proxies" in lack.without_it
    trusted = diagnose([behind], proxies=Proxies.of(["192.0.2.9"]))
    assert not any("Forwarded" in one.what for one in trusted.lacks)


def test_counts_why_lines_are_refused():
    sample = formats.find("nginx-json").samples[0]
    found = diagnose([*[sample] * 5, b"", b"x", b"y", b"[]"])
    assert found.lines == 8
    assert found.reasons[0] == ("line: not JSON", 2)


@pytest.mark.parametrize("lines", [[], [b"", b" "], [b"hello"], [b"\xff"] * 9])
def test_refuses_what_no_format_reads(lines):
    with pytest.raises(FormatError, match="the formats are"):
        diagnose(lines, "some.log")


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "access.log.gz"
    lines = [sample.replace(b"/files", b"/f\x1b[31m") for sample in SAMPLES] * 3
    path.write_bytes(gzip.compress(b"\n".join([*lines, b"broken"])))
    return str(path)


SAMPLES = formats.find("apache-combined").samples


def test_the_command_shows_events_for_a_person(log, capsys):
    assert run(["doctor", "--access-log", log]) == 0
    shown = capsys.readouterr().out
    assert "6 of 7 lines are events" in shown
    assert "1 refused: remote_user: missing or malformed" in shown
    assert "CustomLog" in shown
    assert "\x1b" not in shown


def test_the_command_prints_json_for_a_program(log, capsys):
    assert run(["doctor", "--access-log", log, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {told["format"], *told["also"]} == {"apache-combined", "nginx-combined"}
    assert told["events"] == 6
    assert len(told["sample"]) == 5


def test_the_command_never_shows_a_secret(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    secret = "ghp_" + "".join(random.Random(7).choices(string.ascii_letters, k=30))
    from scanner.checksum import append  # noqa: PLC0415  (only this test leaves the room)

    secret += append("github", secret)
    line = formats.find("nginx-json").samples[0].replace(b"key_abcdefgh234567ab", secret.encode())
    (tmp_path / "a.log").write_bytes(line)
    assert run(["doctor", "--access-log", "a.log"]) == 0
    shown = capsys.readouterr().out
    assert secret[4:12] not in shown
    assert secret[-6:] not in shown
    assert "1 secrets stand in clear" in shown
    assert "credential:" in shown


@pytest.mark.parametrize(("name", "status", "advised"), [("kong", 200, True), ("kong", 401, False)])
def test_the_command_tells_how_to_log_keys_where_requests_without_one_were_let_in(
    tmp_path, monkeypatch, capsys, name, status, advised
):
    monkeypatch.chdir(tmp_path)
    sample, nameless = formats.find(name).samples[:2]
    line = json.loads(nameless)
    line["response"]["status"] = status
    (tmp_path / "a.log").write_bytes(b"\n".join([sample, json.dumps(line).encode()]))
    assert run(["doctor", "--access-log", "a.log"]) == 0
    assert ("such as key-auth" in capsys.readouterr().out) is advised


def test_the_command_refuses_what_is_no_log(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.log").write_bytes(b"hello\n")
    assert run(["doctor", "--access-log", "a.log"]) == 2
    assert run(["doctor", "--access-log", "missing"]) == 3
    assert "missing: no such file" in capsys.readouterr().err


def test_the_configured_proxies_are_believed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    said = {
        "time_iso8601": "2026-03-02T10:00:00+00:00",
        "remote_addr": "10.0.0.9",
        "http_x_forwarded_for": "203.0.113.7",
        "request": "GET /v1/a HTTP/1.1",
        "status": 200,
        "api_key_id": "partner",
    }
    (tmp_path / "a.log").write_text(json.dumps(said) + "\n")
    assert run(["doctor", "--access-log", "a.log"]) == 0
    assert "all client addresses are private" in capsys.readouterr().out
    (tmp_path / "keywatch.toml").write_text(
        '[[sources]]\ntype = "file"\npath = "a.log"\nformat = "nginx-json"\n'
        'trusted_proxies = ["10.0.0.0/8"]\n'
    )
    assert run(["doctor", "--access-log", "a.log"]) == 0
    out = capsys.readouterr().out
    assert "203.0.113.7" in out
    assert "private" not in out
