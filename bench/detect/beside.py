"""Score the detectors on the anomaly benchmark beside four naive rules, over the same logs.

    python bench/detect/beside.py DIR...

DIR is what bench/anomaly/generate.py has written, one for each seed; all are pooled. Prints our
score scenario by scenario, then one line for us and for each rule.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ANOMALY = Path(__file__).parent.parent / "anomaly"
RULES = ("new-country", "off-hours", "rate10", "zscore")
FIGURES = {
    "recall": "recall, attacks",
    "false_alerts_per_key_day": "false a clean key-day",
    "precision": "precision",
    "revokes_benign": "revoked, benign",
    "revokes_clean": "revoked, clean",
}


def script(*words: object) -> str:
    """Run a script and return what it printed."""
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def scored(folders: list[Path], name: str, *more: str) -> str:
    """Return the score of alerts that lie in each folder under one name."""
    words: list[object] = []
    for folder in folders:
        words += ["--truth", folder, "--alerts", folder / f"alerts-{name}.jsonl"]
    return script(ANOMALY / "score.py", *words, *more)


def main() -> None:
    """Run, score and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    folders = parser.parse_args().folders
    for folder in folders:
        print(script(Path(__file__).parent / "run.py", folder).strip())
        script(ANOMALY / "baselines.py", folder)
    print(scored(folders, "keywatch"))
    print(f"{'':14}" + "".join(f"{title:>24}" for title in FIGURES.values()))
    for name in ("keywatch", *RULES):
        found: dict[str, Any] = json.loads(scored(folders, name, "--json"))
        print(f"{name:14}" + "".join(f"{found[figure]!s:>24}" for figure in FIGURES))


if __name__ == "__main__":
    main()
