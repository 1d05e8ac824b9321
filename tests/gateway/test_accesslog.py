import json
import os
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import Access, event_of, line_of
from gateway.accesslog import AccessLog
from streams.columns import batch_of
from streams.formats import find
from vocabulary.errors import TargetError

ACCESS = Access(1_700_000_000.25, "192.0.2.1", "GET", b"/a?b=1", "1.1", 200, 12, b"curl", "r", "k")


def test_a_line_has_the_fields_of_nginx_json():
    assert json.loads(line_of(ACCESS)) == {
        "time_iso8601": "2023-11-14T22:13:20.250+00:00",
        "remote_addr": "192.0.2.1",
        "request": "GET /a?b=1 HTTP/1.1",
        "status": 200,
        "body_bytes_sent": 12,
        "http_user_agent": "curl",
        "request_id": "r",
        "api_key_id": "k",
    }


@given(st.binary(), st.binary())
def test_whatever_a_client_sends_stays_one_line(target, agent):
    line = line_of(Access(0.0, "", "GET", target, "1.1", 200, 0, agent, "", ""))
    assert b"\n" not in line
    assert json.loads(line)["http_user_agent"] == agent.decode("latin-1")


@pytest.fixture
def log(tmp_path):
    opened = AccessLog(tmp_path / "a.log")
    yield opened
    opened.close()


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def test_lines_appear_by_themselves(log, tmp_path, eventually):
    log(ACCESS)
    eventually(lambda: len(lines(tmp_path / "a.log")) == 1)


def test_goes_on_in_a_new_file_when_the_old_one_is_renamed(log, tmp_path, eventually):
    path, old = tmp_path / "a.log", tmp_path / "a.log.1"
    log(ACCESS)
    eventually(lambda: lines(path))
    path.rename(old)
    log(ACCESS)
    eventually(lambda: len(lines(path)) == 1)
    assert len(lines(old)) == 1


def test_nothing_is_lost_or_doubled_however_often_it_is_rotated(tmp_path, eventually):
    path = tmp_path / "a.log"
    log = AccessLog(path, every_s=0.001)
    for number in range(2000):
        log(Access(0.0, "", "GET", b"/%d" % number, "1.1", 200, 0, b"", "", ""))
        if number % 100 == 0:
            eventually(path.exists)
            path.rename(tmp_path / f"a.log.{number:04d}")
    log.close()
    files = [*sorted(tmp_path.glob("a.log.*")), path]
    seen = [json.loads(line)["request"].split()[1] for file in files for line in lines(file)]
    assert seen == [f"/{number}" for number in range(2000)]


def test_secrets_are_cleaned_before_they_are_written(tmp_path):
    def clean(waiting):
        return [line.replace(b"hush", b"[REDACTED]") for line in waiting], []

    log = AccessLog(tmp_path / "a.log", clean)
    log(Access(0.0, "", "GET", b"/hush", "1.1", 200, 0, b"hush", "", ""))
    log.close()
    assert "hush" not in (tmp_path / "a.log").read_text()


def test_a_full_disk_loses_nothing_that_fits_in_memory(log, tmp_path, eventually, monkeypatch):
    path = tmp_path / "a.log"
    full = open("/dev/full", "ab")  # noqa: SIM115, PTH123
    real, log._file = log._file, full.fileno()
    monkeypatch.setattr(log, "_follow_rotation", lambda: None)
    log(ACCESS)
    eventually(lambda: log._failing)
    log._file = real
    full.close()
    eventually(lambda: len(lines(path)) == 1)


def test_says_what_cannot_be_written(tmp_path):
    with pytest.raises(TargetError, match="access log cannot be written"):
        AccessLog(tmp_path / "missing" / "a.log")


def numbered(number):
    return Access(0.0, "", "GET", b"/%d" % number, "1.1", 200, 0, b"", "", "")


def paths(path):
    return [json.loads(line)["request"].split()[1] for line in lines(path)]


def test_threads_that_log_at_once_lose_nothing_and_each_keeps_its_order(tmp_path):
    log = AccessLog(tmp_path / "a.log", every_s=0.001)

    def write(start):
        for number in range(start, start + 1000):
            log(numbered(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, 4000, 1000)))
    log.close()
    seen = [int(one[1:]) for one in paths(tmp_path / "a.log")]
    assert sorted(seen) == list(range(4000))
    for start in range(0, 4000, 1000):
        ours = [number for number in seen if start <= number < start + 1000]
        assert ours == sorted(ours)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are Unix's")
def test_a_pipe_that_nobody_reads_keeps_no_request_waiting(tmp_path):
    pipe = tmp_path / "a.log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(pipe, every_s=0.001)
    for number in range(5000):  # many times what a pipe holds
        log(numbered(number))
    os.set_blocking(reader, True)
    with ThreadPoolExecutor(1) as pool, open(reader, "rb") as read:  # noqa: PTH123  (it is open)
        found = pool.submit(read.read)
        log.close()
        said = [json.loads(line)["request"].split()[1] for line in found.result().splitlines()]
    assert said == [f"/{number}" for number in range(5000)]


def test_a_line_that_cannot_be_made_costs_lines_and_no_request(tmp_path, caplog):
    def clean(texts):
        if b"/0" in texts:
            raise RuntimeError
        return texts, []

    log = AccessLog(tmp_path / "a.log", clean, every_s=60)
    for number in range(65):
        log(numbered(number))
    log.close()
    assert paths(tmp_path / "a.log") == ["/64"]
    assert "64 lines were lost" in caplog.text


def test_gateways_that_write_to_one_file_move_it_away_only_once(tmp_path):
    path = tmp_path / "a.log"
    logs = [AccessLog(path, every_s=60, most_bytes=50_000) for _ in range(4)]

    def write(log):
        for number in range(400):
            log(numbered(number))
            log._flush()  # what its thread does twenty times a second

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, logs))
    for log in logs:
        log.close()
    kept = sorted(tmp_path.glob("a.log.*"))
    assert len(kept) > 2
    assert all(one.stat().st_size > 50_000 for one in kept)
    assert sum(len(lines(one)) for one in [path, *kept]) == 1600


@pytest.mark.parametrize("write", [line_of, event_of])
def test_what_an_answer_cost_goes_from_the_log_to_the_detectors(write):
    name = "nginx-json" if write is line_of else "keywatch-json"
    lines = [write(msgspec.structs.replace(ACCESS, tokens=cost)) for cost in (1200, 0)]
    found = batch_of(find(name).parse(lines))
    assert found.tokens is not None
    assert found.tokens.tolist() == [1200, 0]
    assert batch_of(find(name).parse(lines[1:])).tokens is None
