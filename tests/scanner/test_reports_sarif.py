"""SARIF as OASIS defines it and as GitHub code scanning takes it."""

import io
import json

import jsonschema_rs
import pytest
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as OasisSchema

from scanner.reports.sarif import write
from scanner.run import Report
from tests.scanner.reporting import empty_report, finding, hostile_report, receipt
from vocabulary.finding import Place


def table(required, **properties):
    return {
        "type": "object", "additionalProperties": False,
        "required": required.split(), "properties": properties,
    }  # fmt: skip


def each(item):
    return {"type": "array", "items": item}


LINE = {"type": "integer", "minimum": 1}
WORDS = {"type": "string", "minLength": 1, "maxLength": 1024}
MESSAGE = table("text", text=WORDS)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
# RFC 3986: a relative reference or a file URI, of nothing but what stands for itself and %XX
URI = {"type": "string", "pattern": r"^(?:[\w.~!$&'()*+,;=@/-]|file:///|%[0-9A-F]{2})+$"}
LINK = {"type": "string", "pattern": "^https://"}
PHYSICAL = table(
    "artifactLocation region",
    artifactLocation=table("uri", uri=URI, uriBaseId={"const": "%SRCROOT%"}),
    region=table("startLine", startLine=LINE, endLine=LINE),
)
RULE = table(
    "id name shortDescription fullDescription help defaultConfiguration properties",
    id=WORDS,
    name={**WORDS, "maxLength": 255},
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=table("text markdown", text={"type": "string"}, markdown={"type": "string"}),
    helpUri=LINK,
    defaultConfiguration=table("level", level=LEVEL),
    properties={
        "type": "object",
        "required": ["tags", "precision", "security-severity"],
        "properties": {
            "tags": {**each(WORDS), "maxItems": 10, "uniqueItems": True},
            "precision": {"enum": ["low", "medium", "high", "very-high"]},
            "security-severity": {"type": "string", "pattern": r"^(?:10|\d)\.\d$"},
        },
    },
)
RESULT = table(
    "ruleId ruleIndex level message locations partialFingerprints",
    ruleId=WORDS,
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations={
        **each(table("physicalLocation", physicalLocation=PHYSICAL)), "minItems": 1,
    },
    relatedLocations={
        **each(
            table(
                "id physicalLocation",
                id={"type": "integer", "minimum": 0}, physicalLocation=PHYSICAL, message=MESSAGE,
            )
        ),
        "maxItems": 999,
    },
    partialFingerprints={
        "type": "object",
        "required": ["primaryLocationLineHash"],
        "additionalProperties": {"type": "string"},
    },
    properties={"type": "object"},
)  # fmt: skip
INVOCATION = table(
    "executionSuccessful",
    executionSuccessful={"type": "boolean"},
    exitCode={"type": "integer"},
    startTimeUtc=TIME,
    endTimeUtc=TIME,
    toolExecutionNotifications=each(table("message", message=MESSAGE, level=LEVEL)),
)
RUN = table(
    "tool results",
    tool=table(
        "driver", driver=table("name version rules", name=WORDS, version=WORDS, rules=each(RULE))
    ),
    invocations=each(INVOCATION),
    results={**each(RESULT), "maxItems": 25_000},
)
LOG = table(
    "$schema version runs",
    **{"$schema": LINK},
    version={"const": "2.1.0"},
    runs={**each(RUN), "minItems": 1, "maxItems": 20},
)


def run_of(report):
    out = io.StringIO()
    write(report, out)
    document = json.loads(out.getvalue())
    jsonschema_rs.validate(LOG, document)
    OasisSchema.model_validate(document)
    return document["runs"][0]


@pytest.mark.parametrize("report", [hostile_report(), empty_report()])
def test_it_follows_the_schema(report):
    run_of(report)


@pytest.mark.parametrize("spoil", [{"invented": 1}, {"columnKind": "bytes"}, {"tool": {}}])
def test_the_schema_of_oasis_refuses_what_is_none(spoil):
    document = {"version": "2.1.0", "runs": [run_of(empty_report())]}
    OasisSchema.model_validate(document)
    document["runs"][0] |= spoil
    with pytest.raises(ValidationError):
        OasisSchema.model_validate(document)


def test_every_result_names_its_rule_by_id_and_index():
    run = run_of(hostile_report())
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_rule_says_what_it_is_about_and_where_to_revoke(repo):
    from scanner import scan  # noqa: PLC0415
    from tests.scanner.secrets import github_token  # noqa: PLC0415

    repo.commit("a b/ü.txt", f"t = '{github_token()}'\n")
    run = run_of(scan(repo.path))
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["id"] == "github-personal-access-token"
    assert "github.com/settings/tokens" in rule["help"]["markdown"]
    assert rule["properties"]["security-severity"] == "9.5"
    (result,) = run["results"]
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20b/%C3%BC.txt", "uriBaseId": "%SRCROOT%"}


def test_a_finding_keeps_its_identity_when_it_moves():
    hashes = set()
    for line in (3, 30):
        place = Place(path="a", line=line)
        found = finding(line=line, places=(place,))
        (result,) = run_of(Report((found,), receipt()))["results"]
        hashes.add(result["partialFingerprints"]["primaryLocationLineHash"])
    assert hashes == {found.fingerprint}


def test_a_secret_in_many_places_is_one_result_that_github_takes():
    places = tuple(Place(path=f"{number}") for number in range(5000))
    (result,) = run_of(Report((finding(places=places, count=5000),), receipt()))["results"]
    assert len(result["relatedLocations"]) == 99
    assert result["properties"]["places"] == 5000


def test_a_scan_that_was_not_whole_is_no_success():
    run = run_of(Report((), receipt(incomplete=["a.zip: broken"])))
    (invocation,) = run["invocations"]
    assert invocation["exitCode"] == 3
    assert invocation["toolExecutionNotifications"][0]["message"]["text"].endswith("broken")


def test_no_text_of_what_was_scanned_becomes_a_link():
    found = finding("[click](https://evil.example)")
    (result,) = run_of(Report((found,), receipt()))["results"]
    assert r"\[click\](" in result["message"]["text"]


def test_a_file_outside_of_any_repository_is_told_by_its_whole_address():
    out = io.StringIO()
    write(Report((finding("/srv/a b.py"),), receipt()), out)
    (result,) = json.loads(out.getvalue())["runs"][0]["results"]
    places = [one["physicalLocation"]["artifactLocation"] for one in result["locations"]]
    assert {"uri": "file:///srv/a%20b.py"} in places
