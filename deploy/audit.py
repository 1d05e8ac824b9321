"""Whether known vulnerabilities are in what the image ships: asks PyPI by pip-audit.

    .venv/bin/python deploy/audit.py [LOCK …]

Exit 1 for a vulnerability. Where the advisories cannot be reached it says so, and that nothing is
proven; it does not fail, since a network that is away is no fault of the code.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCKS = (str(Path(__file__).parent / "docker" / "requirements.lock"),)
_PATIENCE_S = 120


def audited(lock: str) -> list[dict[str, Any]] | None:
    """Return what pip-audit says of each package of a lock; None when it cannot ask."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--no-deps"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return found


def told(lock: str, found: list[dict[str, Any]]) -> tuple[list[str], int]:
    """Return a line for each vulnerability, and how many packages could not be asked about."""
    lines = []
    for one in found:
        for flaw in one.get("vulns", ()):
            fixed = ", ".join(flaw.get("fix_versions", ())) or "no version yet"
            lines.append(f"{lock}: {one['name']} {one['version']}: {flaw['id']}, mended in {fixed}")
    return lines, sum("skip_reason" in one for one in found)


def main(locks: list[str]) -> int:
    """Audit the locks."""
    wrong: list[str] = []
    for lock in locks or LOCKS:
        found = audited(lock)
        if found is None:
            print(f"{lock}: NOT AUDITED: the advisories cannot be reached")
            continue
        lines, unknown = told(lock, found)
        wrong += lines
        known = len(found) - unknown
        print(f"{lock}: {known} of {len(found)} packages audited, {len(lines)} vulnerabilities")
        if unknown:
            print(f"{lock}: NOT AUDITED: {unknown} packages, of which the registry tells nothing")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
