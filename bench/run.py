"""Run every bench that this machine allows, and write what they print to docs/benchmarks.md.

    python bench/run.py [--repository DIR]... [--anomaly DIR] [--creddata FILE] [--only NAME]

Benches that need data which is not ours to ship take its path; without it they are left out, and
the page says so.
"""

import argparse
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
PACKAGES = ("numpy", "pandas", "sqlalchemy", "hyperscan", "msgspec", "uvicorn")


@dataclass(frozen=True, slots=True)
class Bench:
    """A script, its arguments, and why it cannot run here (empty when it can)."""

    name: str
    title: str
    words: tuple[str, ...]
    lacking: str = ""


def benches(arguments: argparse.Namespace) -> list[Bench]:
    """Return all benches in the order of the page."""
    no = "needs --{}".format
    return [
        Bench("parse", "Parsing access logs", ("parse/speed.py",)),
        Bench("pipeline", "Replay and watch, end to end", ("pipeline/speed.py",)),
        Bench("imports", "Taking over a million keys", ("keystore/imports.py",)),
        Bench("feed", "From a change of a key to a follower", ("keystore/feed.py",)),
        Bench("peers", "Beside a roll-up in pandas", ("pipeline/peers.py",)),
        Bench("memory", "Memory over a long stream", ("pipeline/memory.py", "--lines", "5000000")),
        Bench("detect", "Detectors alone", ("detect/speed.py",)),
        Bench(
            "anomaly",
            "Detectors against the anomaly benchmark",
            ("detect/run.py", str(arguments.anomaly)),
            "" if arguments.anomaly else no("anomaly DIR"),
        ),
        Bench(
            "scan",
            "Scanning histories, beside bare git",
            ("scan/history.py", *map(str, arguments.repository)),
            "" if arguments.repository else no("repository DIR"),
        ),
        Bench("redact", "Secrets out of a stream", ("scan/redact.py",)),
        Bench(
            "accuracy",
            "Accuracy on labelled lines",
            ("accuracy/creddata.py", str(arguments.creddata)),
            "" if arguments.creddata else no("creddata FILE"),
        ),
        Bench(
            "gateway",
            "The gateway beside an empty application",
            ("gateway/run.py",),
            "" if shutil.which("wrk") else "needs wrk",
        ),
        Bench("memory", "What a hot key takes of the gateway's memory", ("gateway/memory.py",)),
        Bench("timing", "Whether a look-up's time tells of a key", ("gateway/timing.py",)),
        Bench("miss", "A key that is not in the gateway's memory", ("gateway/miss.py",)),
        Bench("latency", "From a log line to the gateway's refusal", ("actions/latency.py",)),
        Bench("kills", "Executors killed at random moments", ("actions/kill.py",)),
        Bench(
            "benign",
            "Harmless changes against the default policy",
            ("actions/benign.py", str(arguments.anomaly)),
            "" if arguments.anomaly else no("anomaly DIR"),
        ),
        Bench("console", "Pages of the console, a million keys", ("console/pages.py",)),
    ]


def run(bench: Bench) -> str:
    """Run a bench and return what it printed."""
    print(f"{bench.title} …", file=sys.stderr)
    script, *words = bench.words
    done = subprocess.run(
        [sys.executable, str(HERE / script), *words], capture_output=True, text=True, check=False
    )
    failed = f"\nended with {done.returncode}: {done.stderr[-1000:]}" if done.returncode else ""
    return done.stdout.rstrip() + failed


def page(results: dict[Bench, str]) -> str:
    """Return the page."""
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    python = f"Python {platform.python_version()}"
    where = [str(datetime.now(UTC).date()), platform.machine(), _processor(), python, *packages]
    lines = [
        "# Benchmarks",
        "Written by `make bench` (bench/run.py); every figure comes from the script named.",
        "",
        ", ".join(where) + ".",
    ]
    for bench, said in results.items():
        lines += ["", f"## {bench.title}", f"`bench/{bench.words[0]}`", ""]
        lines += [f"Left out: {bench.lacking}."] if bench.lacking else ["```text", said, "```"]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def main() -> None:
    """Run the benches and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repository", type=Path, action="append", default=[])
    parser.add_argument("--anomaly", type=Path)
    parser.add_argument("--creddata", type=Path)
    parser.add_argument("--only", action="append", default=[])
    arguments = parser.parse_args()
    wanted = [b for b in benches(arguments) if not arguments.only or b.name in arguments.only]
    results = {bench: "" if bench.lacking else run(bench) for bench in wanted}
    text = page(results)
    if arguments.only:
        print(text)
    else:
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
