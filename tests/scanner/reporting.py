"""Reports made by hand, as hostile as what is scanned may be."""

from scanner.receipt import Receipt
from scanner.rules import Rule
from scanner.run import Report
from vocabulary.credential import Credential
from vocabulary.finding import Finding, Place, Verdict

HOSTILE = (
    "plain/path.py",
    "=HYPERLINK(1)",
    "＝cmd|' /C calc'!A0",  # noqa: RUF001  (what is meant)
    '"><script>alert(1)</script>',
    "]]><!--&\"'",
    "</style></code><img src=x onerror=alert(1)>",
    "a`b``c](https://evil.example) @everyone #1 ![i](//evil)",
    "\x1b[31mred\x1b]0;title\x07\r\n\t\u202e\u2028\ufffe\0",
    "-1+1\\",
    "caf\u00e9/\udcff\udc80/\ud800",
    "C:\\temp\\x:y?z#f%20 g",
    "| cell | `x` |",
    "##vso[task.prependpath]/tmp",
    "::error file=x::##[warning]##TEAMCITY[x]",
    "::set-output name=exit-code::0",
    "##[add-path]/tmp",
)


def receipt(**fields):
    return Receipt(target="repo", source="git", rules=3, began=1_700_000_000.0, **fields)


def finding(said="a.py", number=1, **fields):
    place = Place(
        path=said, line=3, column=5, end_line=3, commit="c" * 40, blob="b" * 40,
        author=f"{said} <{said}>", date="2024-01-02T03:04:05+02:00",
    )  # fmt: skip
    more = Place(path=f"{said}/more", blob="d" * 40)
    made = {
        "rule": f"test-rule-{number % 3}",
        "name": said,
        "severity": ("critical", "high", "medium", "low")[number % 4],
        "confidence": ("high", "medium", "low")[number % 3],
        "path": said, "line": 3, "column": 5, "end_line": 3, "commit": "c" * 40, "blob": "b" * 40,
        "author": place.author, "date": place.date, "places": (place, more), "count": 2,
        "secret": "[REDACTED]", "fingerprint": f"{number:032x}",
        "verdict": Verdict("live", "valid"), "key_id": "key_abc", "key_state": "active",
        "environment": said, "reasons": (said, "why"),
        "decoding": ("base64",), "source": "git", "tags": ("vcs",),
        "credential": Credential("5" * 64),
    }  # fmt: skip
    return Finding(**(made | fields))


def hostile_report():
    rule = Rule(id="test-rule-0", name=HOSTILE[3], description=HOSTILE[3], pattern="x")
    notes = {"incomplete": list(HOSTILE), "warnings": list(HOSTILE)}
    found = tuple(finding(said, number) for number, said in enumerate(HOSTILE))
    return Report(found, receipt(findings=len(found), **notes), (rule,))


def empty_report():
    return Report((), receipt())
