"""HTML: one file that a person opens, filters and reads; nothing is loaded from anywhere.

Everything is text in the page before any script runs: without scripts it is a whole report that
cannot be filtered. A content security policy allows the page's own style and script by their
hashes and nothing else, so that markup that slipped in could neither run nor call home.
"""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TextIO

from scanner.printable import printable
from scanner.reports import SEVERITIES, summary, where
from scanner.run import Report
from vocabulary.finding import Finding, Place

_SHOWN = 5
_HERE = Path(__file__).parent


def write(report: Report, out: TextIO) -> None:
    """Write the page."""
    style, script = ((_HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    out.writelines(f"{line}\n" for line in _page(report, style, script))


def _page(report: Report, style: str, script: str) -> Iterator[str]:
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>keywatch: {_text(summary(report))}</title>"
    yield f"<style>{style}</style>\n</head>\n<body>"
    yield from _head(report)
    yield from _filter(report)
    yield '<main id="findings">'
    for finding in report:
        yield from _card(finding)
    yield '</main>\n<p id="none" hidden>Nothing fits the filter.</p>'
    yield f"<script>{script}</script>\n</body>\n</html>"


def _head(report: Report) -> Iterator[str]:
    receipt = report.receipt
    yield f"<header>\n<h1>{_text(summary(report))}</h1>"
    yield f"<p>{_text(receipt.target)}, {_text(receipt.time(receipt.began))}</p>\n<ul>"
    for line in receipt.text():
        kind = ' class="missed"' if line.startswith("NOT SCANNED") else ""
        yield f"<li{kind}>{_text(line)}</li>"
    yield "</ul>\n</header>"


def _filter(report: Report) -> Iterator[str]:
    yield '<form id="filter" hidden>'
    yield '<input type="search" name="words" placeholder="path, rule, author, fingerprint …" '
    yield 'aria-label="Show findings that hold these words">'
    for severity in SEVERITIES:
        count = sum(finding.severity == severity for finding in report)
        yield f'<label><input type="checkbox" name="{severity}" checked> {severity} {count}</label>'
    yield '<label>confidence <select name="confidence">'
    yield '<option value="0">any</option><option value="1">medium or high</option>'
    yield '<option value="2">high</option></select></label>'
    yield '<label><input type="checkbox" name="known"> known to the key store</label>'
    yield '<output name="shown"></output>\n</form>'


_RANKS = {"low": 0, "medium": 1, "high": 2}


def _card(finding: Finding) -> Iterator[str]:
    rank = _RANKS.get(finding.confidence, 0)
    yield (
        f'<article class="{_text(finding.severity)}" data-severity="{_text(finding.severity)}" '
        f'data-confidence="{rank}" data-known="{int(bool(finding.key_id))}">'
    )
    yield f"<h2><span>{_text(finding.severity)}</span> {_text(finding.name)}</h2>"
    yield f"<p><code>{_text(finding.secret)}</code> {_text(finding.confidence)} confidence</p>"
    yield "<ul>"
    yield from (f"<li>{_text(reason)}</li>" for reason in finding.reasons)
    if finding.key_id:
        known = f"key {finding.key_id}: {finding.key_state}, {finding.environment}"
        yield f"<li><strong>{_text(known)}</strong></li>"
    if finding.decoding:
        yield f"<li>decoded from {_text(' > '.join(finding.decoding))}</li>"
    yield "</ul>"
    yield from _places(finding)
    yield f'<p class="small">rule {_text(finding.rule)}, fingerprint {_text(finding.fingerprint)}'
    yield "</p>\n</article>"


def _places(finding: Finding) -> Iterator[str]:
    yield "<ol>"
    yield from (f"<li>{_place(place)}</li>" for place in finding.places[:_SHOWN])
    yield "</ol>"
    if rest := finding.places[_SHOWN:]:
        yield f"<details><summary>{len(rest)} more places</summary>"
        yield f'<ol start="{_SHOWN + 1}">'
        yield from (f"<li>{_place(place)}</li>" for place in rest)
        yield "</ol></details>"


def _place(place: Place) -> str:
    if not place.commit:
        return f"<code>{_text(where(place))}</code>"
    said = f"{place.commit[:12]} of {place.date[:10]} by {place.author}"
    return f"<code>{_text(where(place))}</code> {_text(said)}"


def _text(said: str) -> str:
    return escape(printable(said))


def _hash(source: str) -> str:
    return f"sha256-{b64encode(sha256(source.encode()).digest()).decode()}"
