import io
import logging
import random
import subprocess
import sys
import textwrap
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystore.scheme import KeyScheme
from scanner.passing import BULK, HOLD, Passing
from scanner.redact import formats_engine
from scanner.redactlog import RedactingFilter
from tests.scanner.secrets import BASE62, github_token

chance = random.Random(11)
KEY = KeyScheme().generate("live", random=chance.randbytes)
TOKEN = github_token(3)
SECRETS = (KEY, TOKEN)


def pem():
    body = "\n".join(textwrap.wrap("MII" + "".join(chance.choices(BASE62, k=1597)), 64))
    kind = "RSA " + "PRIVATE KEY"
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"


@pytest.fixture(scope="module")
def engine():
    return formats_engine()


def passed(engine, blocks, *, hurried=False):
    passing = Passing(engine)
    out = [passing.feed(block, hurried=hurried) for block in blocks]
    return b"".join([*out, passing.finish()])


def cut(text, places):
    ends = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(ends)]


PARTS = st.lists(
    st.sampled_from([*SECRETS, "GET /", " ", "\n", '","', "é", "x" * 50, "?k=", "\n\n"]),
    max_size=30,
)
PLACES = st.lists(st.integers(0, 10_000), max_size=6)


@given(PARTS, PLACES)
def test_what_comes_out_does_not_depend_on_how_it_comes_in(engine, parts, places):
    text = "&".join(parts).encode()
    whole = passed(engine, [text])
    assert passed(engine, cut(text, places)) == whole
    back = whole.replace(b"sk_live_[REDACTED]", KEY.encode())
    assert back.replace(b"ghp_[REDACTED]", TOKEN.encode()) == text


@given(PARTS, PLACES)
def test_no_secret_goes_out_however_hurried(engine, parts, places):
    text = "&".join(parts).encode()
    out = passed(engine, cut(text, places), hurried=True)
    assert not any(secret.encode() in out for secret in SECRETS)
    assert out.count(b"\n") == text.count(b"\n")


@pytest.mark.parametrize("before", [0, 1, 20, 44, 45, 60])
def test_a_secret_over_the_end_of_a_bulk_is_found(engine, before):
    text = b"y\n" * ((BULK - before) // 2) + TOKEN.encode() + b"\n" + b"z\n" * HOLD
    out = passed(engine, [text[at : at + BULK] for at in range(0, len(text), BULK)])
    assert TOKEN.encode() not in out
    assert out.count(b"ghp_[REDACTED]") == 1
    assert len(out) == len(text) - len(TOKEN) + len("ghp_[REDACTED]")


def test_a_line_without_an_end_is_passed_on_in_bounded_memory(engine):
    passing, out = Passing(engine), 0
    for number in range(8):
        out += len(passing.feed(b"x" * (BULK // 2) + (b" %d " % number), hurried=True))
        assert len(passing._text) < 2 * BULK
    assert out > 2 * BULK


def test_a_private_key_is_not_given_out_line_by_line(engine):
    key = pem()
    passing = Passing(engine)
    lines = [f"{line}\n".encode() for line in f"a\n{key}\nb".split("\n")]
    out = [passing.feed(line, hurried=True) for line in lines]
    whole = b"".join([*out, passing.finish()])
    assert out[0] == b"a\n"
    assert key.split("\n")[5].encode() not in whole
    assert whole.startswith(b"a\n[REDACTED]")
    assert whole.endswith(b"b\n")


def test_lines_go_out_while_somebody_waits(tmp_path):
    code = "import sys; from keywatch.__main__ import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "redact", "--summary"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as filtering:
        filtering.stdin.write(f"one {TOKEN}\nunfinished".encode())
        filtering.stdin.flush()
        assert filtering.stdout.readline() == b"one ghp_[REDACTED]\n"
        filtering.stdin.write(f" {KEY}".encode())
        filtering.stdin.close()
        assert filtering.stdout.read() == b"unfinished sk_live_[REDACTED]"
        assert filtering.stderr.read() == b"keywatch: replaced 2 secrets\n"
        assert filtering.wait() == 0


def test_files_are_passed_through_byte_for_byte(tmp_path, monkeypatch, capfdbinary):
    from keywatch.cli import run  # noqa: PLC0415  (only this test leaves the room)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(b"\x00\xff\r\n" + TOKEN.encode() + b"\r\n")
    (tmp_path / "b").write_bytes(b"end")
    assert run(["redact", "a", "b"]) == 0
    assert capfdbinary.readouterr().out == b"\x00\xff\r\nghp_[REDACTED]\r\nend"
    assert run(["redact", "a", "--output", "out"]) == 0
    assert (tmp_path / "out").read_bytes() == b"\x00\xff\r\nghp_[REDACTED]\r\n"
    assert run(["redact", "nowhere"]) == 3


@pytest.mark.parametrize("name", ["log", "./log", "symbolic", "hard"])
def test_a_file_is_not_redacted_into_itself(tmp_path, monkeypatch, capfdbinary, name):
    from keywatch.cli import run  # noqa: PLC0415  (likewise)

    monkeypatch.chdir(tmp_path)
    log = tmp_path / "log"
    log.write_bytes(f"one {TOKEN}\n".encode())
    (tmp_path / "symbolic").symlink_to(log)
    (tmp_path / "hard").hardlink_to(log)
    assert run(["redact", "log", "--output", name]) == 2
    assert b"into itself" in capfdbinary.readouterr().err
    assert log.read_bytes() == f"one {TOKEN}\n".encode()
    with log.open() as given:
        asked = [sys.executable, "-m", "keywatch", "redact", "--output", name]
        assert subprocess.run(asked, stdin=given, capture_output=True, check=False).returncode == 2
    assert log.read_bytes() == f"one {TOKEN}\n".encode()


@pytest.fixture
def logged(engine):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        logging.Formatter("%(levelname)s %(message)s %(user)s", defaults={"user": ""})
    )
    handler.addFilter(RedactingFilter(engine))
    logger = logging.getLogger("app-of-a-test")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def test_the_filter_redacts_messages_arguments_tracebacks_and_extras(logged):
    logger, stream = logged
    logger.info("token %s for %d", TOKEN, 7)
    logger.info("plain %s", "words", extra={"user": {"key": KEY}})
    try:
        int(TOKEN)
    except ValueError:
        logger.exception("failed", stack_info=True)
    said = stream.getvalue()
    assert not any(secret in said for secret in SECRETS)
    assert "INFO token ghp_[REDACTED] for 7" in said
    assert "plain words {'key': 'sk_live_[REDACTED]'}" in said
    assert "ValueError: invalid literal for int() with base 10: 'ghp_[REDACTED]'" in said


def test_of_secrets_within_one_another_nothing_is_left(logged):
    logger, stream = logged
    logger.info("Authorization: Bearer %s and password=%s", TOKEN, f"x{TOKEN}y")
    logger.info("https://u:%s@h.example/?api_key=%s&token=%s", TOKEN, KEY, KEY)
    said = stream.getvalue()
    assert not any(secret in said for secret in SECRETS)
    assert said.startswith("INFO Authorization: ")
    assert "@h.example/?api_key=" in said


class ByItself(logging.Formatter):
    """Writes an exception anew, as formatters of JSON and of coloured terminals do."""

    def format(self, record):
        record.exc_text = None
        return super().format(record)


def test_a_formatter_that_writes_an_exception_by_itself_is_not_handed_its_secret(logged):
    logger, stream = logged
    logger.handlers[0].setFormatter(ByItself("%(message)s"))
    for words in (TOKEN, "plain words"):
        try:
            int(words)
        except ValueError:
            logger.exception("failed")
    said = stream.getvalue()
    assert TOKEN not in said
    assert said.count("failed") == 2
    assert "with base 10: 'plain words'" in said


def test_a_message_that_cannot_be_searched_is_not_let_through(logged):
    logger, stream = logged

    class Broken:
        def __str__(self):
            raise RuntimeError(TOKEN)

    logger.info("%s", Broken(), extra={"user": TOKEN})
    assert TOKEN not in stream.getvalue()
    assert "could not be searched" in stream.getvalue()


def test_a_log_cannot_switch_the_redaction_off(engine):
    mark = "keywatch" + ":allow"
    assert TOKEN.encode() not in passed(engine, [f"{TOKEN} # {mark}\n".encode()])
