"""How much of each room its own tests run: lines and branches, and the files below the mark.

    python bench/covered.py [vocabulary database keystore detectors scanner streams actions gateway]
                            [--under 95]

One room at a time, with the tests of that room and those named in BESIDE alone:
what another room's tests happen to run says nothing of whether anybody looks at it. What runs in
processes that tests start and workers that they fork is counted, unless these are killed. Ends with
1 when a room is under the mark.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = "vocabulary database keystore detectors scanner streams actions gateway".split()

BESIDE = {
    "actions": ["tests/keywatch/test_keynews.py", "tests/keywatch/test_forget_command.py"],
    "database": ["tests/keystore/test_recovery.py", "tests/keywatch/test_forget_command.py"],
    "detectors": ["tests/keywatch/test_profile_command.py"],
    "scanner": ["tests/rules"],
    "streams": [
        "tests/keywatch/test_deadletters.py",
        "tests/keywatch/test_publishing.py",
        "tests/keywatch/test_reported.py",
    ],
    "keystore": ["tests/keywatch/test_store_commands.py", "tests/keywatch/test_forget_command.py"],
}
"""Tests about a room that need one above it, or stand beside what they read."""

IMPORTS = "tests/scanner/test_hooks_quick.py::test_"
UNMEASURED = {
    "scanner": [
        f"{IMPORTS}help_imports_no_command_line",
        f"{IMPORTS}a_staged_scan_that_finds_nothing_imports_nothing_heavy",
    ]
}
"""Tests of what a program imports: measuring it imports more."""

SETTINGS = f"""
[run]
source = {ROOT}/{{room}}
data_file = {{folder}}/data
branch = true
parallel = true
patch = subprocess, _exit, fork
sigterm = true
[report]
exclude_also = if TYPE_CHECKING:
  raise NotImplementedError
"""


@dataclass(frozen=True)
class Share:
    """Lines and branches that were run, of those that there are."""

    name: str
    lines: int
    of_lines: int
    branches: int
    of_branches: int

    @property
    def least(self) -> float:
        """The worse of the two, in percent."""
        return min(percent(self.lines, self.of_lines), percent(self.branches, self.of_branches))

    def row(self) -> str:
        """A line of the table."""
        lines = f"{percent(self.lines, self.of_lines):.1f} % of {self.of_lines:,}"
        return (
            f"| {self.name} | {lines} | "
            f"{percent(self.branches, self.of_branches):.1f} % of {self.of_branches:,} |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--under", type=float, default=95.0, metavar="PERCENT", help="the mark")
    wanted = parser.parse_args()
    print("| room | lines | branches |\n|---|---|---|")
    low = False
    for room in wanted.rooms or ROOMS:
        whole, files = measured(room)
        low |= whole.least < wanted.under
        below = sorted(
            (one for one in files if one.least < wanted.under), key=lambda one: one.least
        )
        print("\n".join([whole.row(), *(f"| · {one.row()[2:]}" for one in below)]), flush=True)
    return 1 if low else 0


def measured(room: str) -> tuple[Share, list[Share]]:
    """Run a room's tests; return what they run of it, and of each of its files."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "settings"
        settings.write_text(SETTINGS.format(room=room, folder=folder))
        coverage = [sys.executable, "-m", "coverage"]
        held = f"--rcfile={settings}"
        where = (f"tests/{room}", *BESIDE.get(room, ()))
        without = [f"--deselect={test}" for test in UNMEASURED.get(room, ())]
        tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *without, *where]
        ran = subprocess.run(
            [*coverage, "run", held, *tests],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise SystemExit(f"the tests of {room} fail:\n{ran.stdout[-3000:]}{ran.stderr[-500:]}")
        report = Path(folder) / "report.json"
        for made in (["combine", "-q", held, folder], ["json", "-q", held, "-o", str(report)]):
            subprocess.run([*coverage, *made], cwd=ROOT, check=True, capture_output=True)
        told = json.loads(report.read_text())
    files = [share(name, one["summary"]) for name, one in told["files"].items()]
    return share(room, told["totals"]), files


def share(name: str, told: dict[str, int]) -> Share:
    return Share(
        name,
        told["covered_lines"],
        told["num_statements"],
        told["covered_branches"],
        told["num_branches"],
    )


def percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0


if __name__ == "__main__":
    sys.exit(main())
