"""The page allows its own style and script by their hashes, and nothing else."""

import base64
import hashlib
import io
import re

from scanner.reports.html import write
from tests.scanner.reporting import empty_report, hostile_report


def page_of(report):
    out = io.StringIO()
    write(report, out)
    return out.getvalue()


def test_the_policy_names_the_hash_of_what_the_page_holds():
    page = page_of(hostile_report())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    for tag in ("style", "script"):
        source = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_nothing_is_loaded_from_anywhere():
    page = page_of(empty_report())
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch|XMLHttp|innerHTML|eval", page)


def test_the_filter_knows_every_severity_and_counts_it():
    page = page_of(hostile_report())
    for severity in ("critical", "high", "medium", "low"):
        assert f'name="{severity}" checked> {severity} 4<' in page
        assert page.count(f'data-severity="{severity}"') == 4
