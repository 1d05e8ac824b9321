"""GitLab's secret detection report, version 15.0.7 of its schema.

Source: gitlab-org/security-products/security-report-schemas, secret-detection-report-format.
What stands in no commit is said to stand in commit 0000000, as GitLab's own analyzer does.
"""

from collections.abc import Mapping
from typing import Any, TextIO
from uuid import NAMESPACE_URL, uuid5

from scanner.printable import printable, text
from scanner.receipt import Receipt
from scanner.reports import json_text, version
from scanner.reports.markdown import code
from scanner.rules import Rule
from scanner.run import Report
from vocabulary.finding import Finding

SCHEMA = "15.0.7"
_NO_COMMIT = "0000000"
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:keywatch:finding")
_NAME = 255  # characters of a name, by the schema
_DESCRIPTION, _SOLUTION = 1 << 20, 7000


def write(report: Report, out: TextIO) -> None:
    """Write the document."""
    rules = {rule.id: rule for rule in report.rules}
    document = {
        "version": SCHEMA,
        "scan": _scan(report.receipt),
        "vulnerabilities": [_vulnerability(finding, rules) for finding in report],
    }
    out.write(json_text(document) + "\n")


def _scan(receipt: Receipt) -> dict[str, Any]:
    tool = {
        "id": "keywatch",
        "name": "keywatch",
        "vendor": {"name": "keywatch"},
        "version": version(),
    }
    said = [("warn", f"not scanned: {reason}") for reason in receipt.incomplete]
    said += [("info", warning) for warning in receipt.warnings]
    return {
        "analyzer": tool,
        "scanner": tool,
        "type": "secret_detection",
        "start_time": receipt.time(receipt.began)[:-1],
        "end_time": receipt.time(receipt.began + receipt.seconds)[:-1],
        "status": "failure" if receipt.incomplete else "success",
        "messages": [{"level": level, "value": printable(words)} for level, words in said],
    }


def _vulnerability(finding: Finding, rules: Mapping[str, Rule]) -> dict[str, Any]:
    rule = rules.get(finding.rule)
    return {
        "id": str(uuid5(_NAMESPACE, f"{finding.fingerprint} {finding.rule}")),
        "category": "secret_detection",
        "name": printable(finding.name)[:_NAME],
        "description": _description(finding, rule),
        "severity": finding.severity.capitalize(),
        "solution": _solution(rule)[:_SOLUTION],
        "raw_source_code_extract": printable(finding.secret),
        "location": _location(finding),
        "identifiers": [
            {
                "type": "keywatch_rule_id",
                "name": f"keywatch rule {finding.rule}",
                "value": finding.rule,
            }
        ],
        "links": [{"url": url} for url in (rule.references if rule else ()) if _is_link(url)],
        "details": {
            "fingerprint": {
                "name": "Fingerprint",
                "type": "text",
                "value": finding.fingerprint,
            },
        },
    }


def _description(finding: Finding, rule: Rule | None) -> str:
    about = f"{rule.description} " if rule and rule.description else ""
    why = "; ".join(map(code, finding.reasons))  # GitLab shows it as Markdown
    known = f" Key {finding.key_id} is {finding.key_state}." if finding.key_id else ""
    return f"{about}{finding.confidence.capitalize()} confidence: {why}.{known}"[:_DESCRIPTION]


def _solution(rule: Rule | None) -> str:
    place = f" ({rule.revoke})" if rule and rule.revoke else ""
    return f"Revoke the secret{place}, then take it out of the code."


def _location(finding: Finding) -> dict[str, Any]:
    commit = {"sha": finding.commit or _NO_COMMIT}
    if finding.commit:
        commit |= {"author": printable(finding.author), "date": finding.date}
    return {
        "file": text(finding.path),
        "start_line": max(1, finding.line),
        "end_line": max(1, finding.end_line),
        "commit": commit,
    }


def _is_link(url: str) -> bool:
    scheme, _, rest = url.partition("://")
    return scheme in ("https", "http") and rest != ""
