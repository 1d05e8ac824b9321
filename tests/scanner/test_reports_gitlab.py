"""GitLab's report keeps to what version 15.0.7 of its schema asks of one."""

import io
import json

import jsonschema_rs
import pytest

from scanner.reports.gitlab import write
from scanner.rules import Rule
from scanner.run import Report
from tests.scanner.reporting import empty_report, finding, hostile_report, receipt

SOME = {"type": "string", "minLength": 1}
TEXT = {"type": "string"}
LINE = {"type": "number"}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}
LINK = {"type": "string", "pattern": "^(https?|ftp)://.+"}


def some(required, **properties):
    """Describe an object; the schema lets more stand in it, this test does not."""
    return {
        "type": "object", "additionalProperties": False,
        "required": required.split(), "properties": properties,
    }  # fmt: skip


def each(item, **more):
    return {"type": "array", "items": item, **more}


TOOL = some(
    "id name version vendor", id=SOME, name=SOME, version=SOME, vendor=some("name", name=SOME)
)
SCAN = some(
    "analyzer scanner type status start_time end_time",
    analyzer=TOOL,
    scanner=TOOL,
    type={"const": "secret_detection"},
    status={"enum": ["success", "failure"]},
    start_time=MOMENT,
    end_time=MOMENT,
    messages=each(some("level value", level={"enum": ["info", "warn", "fatal"]}, value=SOME)),
)
COMMIT = some("sha", sha=SOME, author=TEXT, date=TEXT)
VULNERABILITY = some(
    "id identifiers location",
    id=SOME,
    category=TEXT,
    name={"type": "string", "maxLength": 255},
    description={"type": "string", "maxLength": 1_048_576},
    severity={"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
    solution={"type": "string", "maxLength": 7000},
    identifiers=each(
        some("type name value", type=SOME, name=SOME, value=SOME, url=LINK), minItems=1
    ),
    links=each(some("url", url=LINK, name=TEXT)),
    location=some("commit", file=TEXT, start_line=LINE, end_line=LINE, commit=COMMIT),
    raw_source_code_extract=TEXT,
    details={
        "type": "object",
        "additionalProperties": some(
            "name type value", name=SOME, type={"const": "text"}, value=TEXT
        ),
    },
)
REPORT = some(
    "scan version vulnerabilities",
    version={"const": "15.0.7"},
    scan=SCAN,
    vulnerabilities=each(VULNERABILITY),
)


def document_of(report):
    out = io.StringIO()
    write(report, out)
    document = json.loads(out.getvalue())
    jsonschema_rs.validate(REPORT, document)
    return document


@pytest.mark.parametrize("report", [hostile_report(), empty_report()])
def test_it_follows_the_schema(report):
    document_of(report)


def test_what_is_too_long_is_cut():
    long = "x" * 2_000_000
    rule = Rule(
        id="test-rule-1", name=long, description=long, pattern="x", revoke=long,
        references=("https://", "ftp:x", "https://example.org/a"),
    )  # fmt: skip
    (found,) = document_of(Report((finding(long),), receipt(findings=1), (rule,)))[
        "vulnerabilities"
    ]
    assert found["links"] == [{"url": "https://example.org/a"}]


def test_a_finding_in_no_commit_has_a_commit_all_the_same():
    bare = finding(commit="", author="", date="")
    (found,) = document_of(Report((bare,), receipt(findings=1)))["vulnerabilities"]
    assert found["location"]["commit"] == {"sha": "0000000"}
