"""Secrets in the files that programs write: logs, traffic, notebooks, exports, releases."""

import base64
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner import ScanOptions, rearrange, scan
from scanner.searcher import Searcher
from tests.scanner.packing import zipped
from tests.scanner.secrets import github_token, password
from vocabulary.finding import Confidence

TOKEN = github_token()
WORD = password(3, 20)
LOW = ScanOptions(confidence=Confidence.LOW)


def secrets(engine, text):
    raw = text if isinstance(text, bytes) else text.encode()
    return {(m.secret.decode(), m.line) for m in engine.search(raw, "x")}


@pytest.mark.parametrize(
    "text",
    [f"\x1b[36;1m{TOKEN}\x1b[0m", f"ok\x1b[K\x1b[32mtoken\x1b[0m=\x1b[1m{TOKEN}\x1b[m",
     f"\x1b]0;title\x07\x1b[0m{TOKEN[:12]}\x1b[31m{TOKEN[12:]}\x1b[0m"],
)  # fmt: skip
def test_colours_hide_nothing_and_the_place_is_that_of_the_log(engine, text):
    before = "\x1b[1mline\x1b[0m\n" * 9
    (match,) = engine.search(f"{before}{text}\nrest\n".encode(), "build.log")
    assert (match.secret.decode(), match.line) == (TOKEN, 10)
    first = text.index(TOKEN[:12])
    assert match.column == len(text[:first].encode()) + 1


def test_two_secrets_of_one_log_are_two(engine):
    other = github_token(2)
    text = f"\x1b[1m{TOKEN}\x1b[0m\nplain\n\x1b[2m{other}\x1b[0m and {github_token(3)}\n"
    assert secrets(engine, text) == {(TOKEN, 1), (other, 3), (github_token(3), 3)}


def test_a_long_log_is_read_in_stretches(engine):
    row = "\x1b[32mgreen\x1b[0m and some words to fill the line with\n"
    text = row * 20_000 + f"\x1b[31m{TOKEN}\x1b[0m\n" + row * 20_000
    assert secrets(engine, text) == {(TOKEN, 20_001)}


def test_in_a_program_the_string_alone_is_read(engine, read):
    noise = b"\0\x1b[mcode\0\x01\x1b]8\0" * 20_000
    text = noise + f"\0\x1b[1m{TOKEN}\x1b[0m\0".encode() + noise
    assert [match.secret.decode() for match in engine.search(text, "x")] == [TOKEN]
    assert sum(read) < 2 * len(text)


@pytest.fixture
def read(monkeypatch):
    """Tell how many bytes hyperscan reads, and of what decoding."""
    read = []
    whole = Searcher.hits
    monkeypatch.setattr(Searcher, "hits", lambda self, b: read.append(b.used) or whole(self, b))
    return read


@pytest.mark.parametrize("row", ["plain \x1b[", "plain \x1b]", "plain \x1b[\x1b[1mcode\x1b["])
def test_halves_of_codes_are_read_no_more_often_than_whole_ones(engine, read, row):
    text = (row + "\n") * 30_000 + f'token = "{TOKEN}"\n'
    assert secrets(engine, text) == {(TOKEN, 30_001)}
    assert sum(read) < 2.2 * len(text)
    assert len(read) < 10


PAIRS = {
    "HAR": {"headers": [{"name": "X-Auth-Token", "value": WORD}]},
    "Postman": {"variable": [{"key": "api_secret", "value": WORD, "type": "string"}]},
    "ECS": {"environment": [{"value": WORD, "name": "DB_PASSWORD"}]},
    "form": {"fields": [{"field": "client_secret", "default": WORD}]},
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_value_beside_its_name_is_told_where_it_stands(engine, name, indent):
    text = json.dumps(PAIRS[name], indent=indent)
    (match,) = [m for m in engine.search(text.encode(), "x") if m.secret.decode() == WORD]
    at = text.index(WORD)
    assert match.start == at
    assert match.line == text[:at].count("\n") + 1
    assert match.decoding == ("pair",)


@pytest.mark.parametrize(
    "text",
    [f"env:\n  - name: DB_PASSWORD\n    value: {WORD}\n",
     f"env:\n  - name: 'DB_PASSWORD'\r\n    value: \"{WORD}\"\r\n",
     f"<property>\n <name>fs.s3a.secret.key</name>\n <value>{WORD.replace('&', 'x')}</value>\n"],
)  # fmt: skip
def test_yaml_and_xml_name_their_values_the_same_way(engine, text):
    assert {line for _, line in secrets(engine, text)} == {3}


@pytest.mark.parametrize(
    "text",
    [
        f'"parameters": {{\n"adminPassword": {{\n  "value": "{WORD}"}}}}',
        f'{{\n"adminPassword": {{"type": "securestring",\n "defaultValue": "{WORD}"}}}}',
        f'# of acme\nvariable "db_password" {{\n  default = "{WORD}"\n}}\n',
        f'<bean>\n<property name="password">\n<value>{WORD.replace("&", "x")}</value>\n',
        f"<dict>\n<key>Password</key>\n<string>{WORD.replace('&', 'x')}</string>\n",
    ],
)
def test_a_value_in_the_braces_of_its_name(engine, text):
    assert {line for _, line in secrets(engine, text)} == {3}


def test_braces_that_hold_no_value_are_nothing(engine):
    for text in (
        '"password": {"type": "string", "minLength": 12}',
        f'"password": {{"of": {{"value": "{WORD}"}}}}',
        'variable "password" {\n}\nvariable "colour" {\n  default = "' + WORD + '"\n}',
    ):  # fmt: skip
        assert secrets(engine, text) == set()


def test_what_has_no_value_or_another_name_is_nothing(engine):
    for text in (
        '{"name": "password"}', '{"name": "password", "value": ""}',
        f'{{"name": "colour", "value": "{WORD}"}}', '{"name": "token", "value": "{{token}}"}',
    ):  # fmt: skip
        assert secrets(engine, text) == set()


def test_a_release_of_helm_is_unpacked(engine):
    release = gzip.compress(json.dumps({"config": {"token": TOKEN}}).encode())
    twice = base64.b64encode(base64.b64encode(release)).decode()
    (match,) = engine.search(f"data:\n  release: {twice}\n".encode(), "x")
    assert match.decoding == ("base64", "base64", "gzip")


def test_an_elided_example_of_a_packed_text_is_not_a_damaged_archive(tmp_path):
    text = base64.b64encode(gzip.compress(b"words and words\n" * 9)).decode()
    (tmp_path / "a.md").write_text(f"data: {text[:30]}...\n")
    assert scan(tmp_path).receipt.incomplete == []


def notebook():
    cell = {
        "cell_type": "code", "source": ["import x\n", f'x.login("{TOKEN}")\n'],
        "outputs": [{"output_type": "stream", "text": [f"hello {github_token(2)}\n"]}],
    }  # fmt: skip
    return json.dumps({"cells": [cell], "nbformat": 4}, indent=1)


def slack():
    """Make what a workspace exports: a folder a channel, a file a day, texts in several forms."""
    in_code = {"type": "text", "text": TOKEN, "style": {"code": True}}
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": "use "}, in_code]}
    said = {"type": "message", "user": "U1", "ts": "1704103200.000100"}
    messages = [
        said
        | {
            "text": f"use `{TOKEN}` &amp; <https://x|x>",
            "blocks": [{"type": "rich_text", "elements": [section]}],
        },
        said | {"text": f"```\nGITHUB_TOKEN={github_token(2)}\n```"},
        said | {"files": [{"name": "a.env", "preview": f"A=1\nTOKEN={github_token(3)}"}]},
        said
        | {
            "text": f"<https://ci:{github_token(4)}@git.example/x.git|clone it>",
            "attachments": [{"fallback": "x", "text": f"token={github_token(5)}"}],
        },
    ]
    day = json.dumps(messages, indent=4).replace("/", r"\/")
    return zipped({"general/2024-01-01.json": day, "users.json": "[]", "channels.json": "[]"})


def ci_log():
    stamp = "2024-05-05T10:00:00.1234567Z "
    return f"{stamp}##[group]Run x\n{stamp}\x1b[36;1mexport T={TOKEN}\x1b[0m\n"


DOCUMENTS = {
    "a.ipynb": (notebook(), {"a.ipynb": 2}),
    "slack.zip": (slack(), {"slack.zip!general/2024-01-01.json": 5}),
    "build.log": (ci_log(), {"build.log": 1}),
    ".env": (f"# local\nexport GITHUB_TOKEN='{TOKEN}'\n", {".env": 1}),
    "x.har": (
        json.dumps({"log": {"entries": [{"request": {"headers": [
            {"name": "Authorization", "value": f"token {TOKEN}"}]}}]}}), {"x.har": 1},
    ),
    "c.postman_collection.json": (
        json.dumps({"auth": {"type": "bearer", "bearer": [{"key": "token", "value": TOKEN}]}}),
        {"c.postman_collection.json": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_of_many_programs(tmp_path, name):
    content, wanted = DOCUMENTS[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = {}
    for finding in scan(tmp_path):
        found[finding.path] = found.get(finding.path, 0) + 1
    assert found == wanted


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 50), st.integers(0, 50))
@settings(deadline=None)
def test_rearranging_stays_within_its_bounds(noise, at, low, spare):
    for text in (noise, b"\x1b[1m" + noise, b'{"name": "token", "value": "' + noise + b'"}'):
        bottom = min(low, len(text))
        top = max(len(text) - spare, bottom)
        where = min(max(at, bottom), top)
        for look in (rearrange.ansi, rearrange.pair):
            region = look(text, where, bottom, top)
            if region is None:
                continue
            for position in range(len(region.text)):
                assert bottom <= region.was_at(position) <= top
