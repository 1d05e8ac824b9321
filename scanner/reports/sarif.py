"""SARIF 2.1.0, as GitHub code scanning takes it.

Sources: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub Docs,
"SARIF support for code scanning" (levels, security-severity, fingerprints, limits).
"""

import re
from collections.abc import Iterator
from typing import Any, TextIO
from urllib.parse import quote

from scanner.printable import printable, text
from scanner.receipt import Receipt
from scanner.reports import json_text, version
from scanner.rules import Rule
from scanner.run import Report
from vocabulary.finding import Finding, Place

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
_PLACES = 100  # GitHub shows no more of a result, and refuses a file with more than 1000
_TAGS = 10  # GitHub shows no more of a rule
_NAME, _TEXT = 255, 1024  # characters that GitHub takes


def write(report: Report, out: TextIO) -> None:
    """Write a log with one run."""
    rules = _rules(report)
    index = {rule.id: number for number, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "keywatch",
                "version": version(),
                "rules": [_descriptor(rule) for rule in rules],
            }
        },
        "invocations": [_invocation(report.receipt)],
        "results": [_result(finding, index[finding.rule]) for finding in report],
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    out.write(json_text(document) + "\n")


def _rules(report: Report) -> list[Rule]:
    """Return what explains the findings, one rule for each id that they name."""
    rules = {rule.id: rule for rule in report.rules}
    for finding in report:
        bare = Rule(id=finding.rule, name=finding.name, severity=finding.severity, pattern="")
        rules.setdefault(finding.rule, bare)
    return [rules[name] for name in sorted(rules)]


def _descriptor(rule: Rule) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": rule.id,
        "name": printable(rule.name)[:_NAME],
        "shortDescription": {"text": printable(rule.name)[:_TEXT]},
        "fullDescription": {"text": printable(rule.description or rule.name)[:_TEXT]},
        "help": {
            "text": "\n".join(plain for plain, _ in _help(rule)),
            "markdown": "\n\n".join(markdown for _, markdown in _help(rule)),
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": ["security", "secret", *rule.tags][:_TAGS],
            "precision": rule.confidence,
            "security-severity": _SCORES[rule.severity],
        },
    }
    links = [url for url in (*rule.references, rule.revoke) if url.startswith("https://")]
    return described | ({"helpUri": links[0]} if links else {})


def _help(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield what to know and to do, as plain text and as Markdown."""
    if rule.description:
        yield printable(rule.description), printable(rule.description)
    if rule.access:
        said = f"What it gives access to: {printable(rule.access)}"
        yield said, said
    first = "Revoke it first: once it was pushed, taking it out of the code does not help."
    yield first, f"**{first}**"
    if rule.revoke:
        yield f"Where to revoke it: {rule.revoke}", f"Where to revoke it: <{rule.revoke}>"
    for url in rule.references:
        yield f"See {url}", f"See <{url}>"


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    first, *others = finding.places[:_PLACES]
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": _physical(first)}],
        "relatedLocations": [
            {
                "id": number,
                "physicalLocation": _physical(place),
                "message": {"text": _literal(_when(place) or "also here")},
            }
            for number, place in enumerate(others, 1)
        ],
        "partialFingerprints": {
            "primaryLocationLineHash": finding.fingerprint,
            "keywatch/v1": finding.fingerprint,
        },
        "properties": {
            "confidence": finding.confidence,
            "places": finding.count,
            "introduced": _when(first),
            "store": finding.verdict.store,
            "checksum": finding.verdict.checksum,
            "provider": finding.verdict.provider,
            "keyId": finding.key_id,
            "tags": list(finding.tags),
        },
    }


def _message(finding: Finding) -> str:
    why = "; ".join(finding.reasons)
    known = f" Key {finding.key_id} is {finding.key_state}." if finding.key_id else ""
    said = f"{finding.name}: {finding.secret} ({finding.confidence} confidence: {why}).{known}"
    return _literal(said)


_LINK = re.compile(r"([\\\[\]])")


def _literal(said: str) -> str:
    """Return text in which no embedded link stands (SARIF 3.11.6)."""
    return _LINK.sub(r"\\\1", printable(said))[:_TEXT].rstrip("\\")


def _when(place: Place) -> str:
    if not place.commit:
        return ""
    return printable(f"commit {place.commit} of {place.date} by {place.author}")


def _physical(place: Place) -> dict[str, Any]:
    region = {"startLine": max(1, place.line), "endLine": max(1, place.line, place.end_line)}
    return {"artifactLocation": _artifact(place.path), "region": region}


def _artifact(path: str) -> dict[str, str]:
    """Return a path as a URI: of the repository's root, unless it is absolute."""
    try:
        uri = quote(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        uri = quote(text(path))
    if uri.startswith("/"):
        return {"uri": f"file://{uri}"}
    return {"uri": uri or ".", "uriBaseId": "%SRCROOT%"}


def _invocation(receipt: Receipt) -> dict[str, Any]:
    notes = [("error", f"not scanned: {reason}") for reason in receipt.incomplete]
    notes += [("warning", warning) for warning in receipt.warnings]
    return {
        "executionSuccessful": not receipt.incomplete,
        "exitCode": int(receipt.exit_code),
        "startTimeUtc": receipt.time(receipt.began),
        "endTimeUtc": receipt.time(receipt.began + receipt.seconds),
        "toolExecutionNotifications": [
            {"level": level, "message": {"text": _literal(said)}} for level, said in notes
        ],
    }
