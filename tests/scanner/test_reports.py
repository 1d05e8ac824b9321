"""What holds for every report format, whichever there are."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scanner import reports, scan
from scanner.run import Report
from tests.scanner.reporting import HOSTILE, empty_report, finding, hostile_report, receipt
from tests.scanner.secrets import github_token
from vocabulary.finding import Place


def written(name, report):
    out = io.StringIO()
    reports.find(name)(report, out)
    return out.getvalue()


def test_the_formats_are_those_that_are_promised():
    promised = "csv gitlab html json jsonl junit markdown sarif table"
    assert reports.names() == promised.split()


@pytest.fixture(params=reports.names())
def form(request):
    return request.param


def test_no_secret_and_no_hash_of_one_is_in_any_report(form, repo):
    secrets = [github_token(seed) for seed in (1, 2, 3)]
    repo.write(f"{secrets[2]}/{secrets[0]}.txt", f"t = '{secrets[0]}'\n{secrets[1]}\n")
    repo.git("add", ".")
    author = f"{secrets[2]} <{secrets[2]}@acme.example>"
    repo.git("commit", "-q", "-m", secrets[1], "--author", author)
    report = scan(repo.path)
    assert {found.rule for found in report} == {"github-personal-access-token"}
    text = written(form, report)
    for found in report:
        assert found.credential.sha256 not in text
    assert not any(secret in text for secret in secrets)


def test_a_path_that_is_a_secret_is_redacted_where_it_cannot_be_read(tmp_path):
    name = f"{github_token(5)}.zip"
    (tmp_path / name).write_bytes(b"PK\x03\x04" + b"x" * 99)
    report = scan(tmp_path)
    assert len(report.receipt.incomplete) == 1
    assert github_token(5) not in report.receipt.incomplete[0]
    assert report.receipt.incomplete[0].startswith("ghp_[REDACTED]")


def test_no_line_of_a_report_is_an_order_to_a_ci_server(form):
    text = written(form, hostile_report())
    assert not re.search(r"##(\[|vso\[|teamcity\[)|^\s*::", text, re.IGNORECASE | re.MULTILINE)


def test_the_receipt_and_errors_give_no_orders_to_a_ci_server():
    lines = hostile_report().receipt.text()
    assert not any("##vso[" in line for line in lines)


def test_the_same_report_gives_the_same_bytes(form):
    assert written(form, hostile_report()) == written(form, hostile_report())


def test_every_report_can_be_encoded_and_holds_no_control_character(form):
    for report in (hostile_report(), empty_report()):
        text = written(form, report).encode().decode()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\ufffe]", text)


def test_every_finding_is_in_every_report(form):
    text = written(form, hostile_report())
    for number in range(len(HOSTILE)):
        assert f"{number:032x}" in text


def test_an_empty_report_is_valid(form):
    CHECKS[form](written(form, empty_report()), 0)


def test_a_hostile_report_is_valid_and_its_strings_are_text(form):
    CHECKS[form](written(form, hostile_report()), len(HOSTILE))


def check_json(text, count):
    document = json.loads(text)
    assert len(document["findings"]) == document["receipt"]["findings"] == count
    assert all("credential" not in found for found in document["findings"])


def check_jsonl(text, count):
    assert len([json.loads(line) for line in text.splitlines()]) == count


def check_table(text, count):
    assert text.count("fingerprint ") == count


def check_csv(text, count):
    header, *rows = csv.reader(io.StringIO(text))
    assert len(rows) == count
    assert text.count("\n") == count + 1
    for row in rows:
        assert len(row) == len(header)
        assert not [cell for cell in row if cell.lstrip()[:1] in tuple("=+-@＝＋－＠")]  # noqa: RUF001


def check_junit(text, count):
    root = ET.fromstring(text)
    assert len(root.findall("./testsuite/testcase/failure")) == count
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "error",
    }  # fmt: skip
    assert int(root.get("tests")) == count + 1


def check_markdown(text, count):
    assert text.count("### ") == count
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"[<>\[\]!@`|*\\]|evil|alert", outside)


def check_gitlab(text, count):
    document = json.loads(text)
    assert len({found["id"] for found in document["vulnerabilities"]}) == count
    for found in document["vulnerabilities"]:
        assert set(found) >= {"id", "identifiers", "location"}
        assert found["location"]["commit"]["sha"]
        assert len(found["name"]) <= 255
        assert found["severity"] in {"Low", "Medium", "High", "Critical"}
    for moment in ("start_time", "end_time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", document["scan"][moment])
    assert document["scan"]["status"] == ("failure" if count else "success")


def check_sarif(text, count):
    run = json.loads(text)["runs"][0]
    assert len(run["results"]) == count
    assert run["invocations"][0]["executionSuccessful"] == (count == 0)


class Page(HTMLParser):
    """Counts elements, and whatever could run or load something."""

    def __init__(self):
        super().__init__()
        self.tags, self.bad = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.bad += [name for name, _ in attrs if name.startswith("on")]
        self.bad += [name for name, _ in attrs if name in {"src", "href", "style", "action"}]


def check_html(text, count):
    page = Page()
    page.feed(text)
    assert page.tags.count("article") == count
    assert page.bad == []
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not {"img", "link", "iframe", "a", "base", "object"} & set(page.tags)
    assert "default-src 'none'" in text


CHECKS = {
    name.removeprefix("check_"): check
    for name, check in list(globals().items())
    if name.startswith("check_")
}


def test_every_format_has_its_check():
    assert sorted(CHECKS) == reports.names()


def test_json_writes_a_byte_that_is_no_text_in_hexadecimal():
    (found,) = json.loads(written("json", type(empty_report())((finding("a\udcff"),), receipt())))[
        "findings"
    ]
    assert found["path"] == found["places"][0]["path"] == "a\\xff"


def test_the_format_that_the_manual_adds_works():
    page = (Path(__file__).parent.parent.parent / "docs/scanning.md").read_text()
    source = page.split("### A format of your own")[1].split("```python\n")[1].split("```")[0]
    made = {}
    exec(compile(source, "grep.py", "exec"), made)
    out = io.StringIO()
    made["write"](hostile_report(), out)
    assert out.getvalue().splitlines()[0].startswith("plain/path.py:3 test-rule-0 ")
    assert len(out.getvalue().splitlines()) == len(HOSTILE)


@pytest.mark.parametrize("name", ["table", "markdown", "html"])
def test_of_many_places_the_first_are_shown_and_the_others_counted(name):
    places = tuple(Place(path=f"dir/file-{number}.py", line=number) for number in range(1, 60))
    made = finding("a.py", places=places, count=len(places))
    text = written(name, Report((made,), receipt(findings=1)))
    assert "file-1.py" in text
    folded = int(re.search(r"(\d+) more places", text)[1])
    shown = len(places) - (0 if name == "html" else folded)  # a page unfolds them
    assert 0 < folded < len(places)
    assert text.count("dir/file-") == shown


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_what_no_key_of_ours_is_has_no_line_of_one(name):
    made = finding("a.py", key_id="", key_state="", environment="")
    assert "key_abc" in written(name, Report((finding("a.py"),), receipt(findings=1)))
    assert "key_abc" not in written(name, Report((made,), receipt(findings=1)))
