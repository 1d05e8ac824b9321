"""Run every bench that this machine allows, and write what they print to docs/benchmarks.md.

    python bench/run.py [--repository DIR]... [--anomaly DIR]... [--creddata FILE] [--soak MINUTES]
                        [--mutants N] [--only NAME] [--redraw]

Benches that need data which is not ours to ship take its path; without it they are left out, and
the page says so. With --only a part of the page is written anew, and the rest stays as it was; --redraw draws the
pictures anew from the figures that the page has.
Peers are those that are on PATH.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import drawn
import pictures

# As on a user's machine: modules are compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
PICTURES = PAGE.parent / "pictures"
PACKAGES = ("numpy", "pandas", "sqlalchemy", "hyperscan", "msgspec", "uvicorn")


@dataclass(frozen=True, slots=True)
class Bench:
    """A script and its arguments.

    Attributes:
        lacking: why it cannot run here; empty when it can.
        draw: makes a picture of what it printed.
    """

    name: str
    title: str
    words: tuple[str, ...]
    lacking: str = ""
    draw: Callable[[str], str] | None = None


def benches(arguments: argparse.Namespace) -> list[Bench]:
    """Return all benches in the order of the page."""
    no = "needs --{}".format
    return [
        Bench(
            "parse",
            "Parsing access logs",
            ("parse/speed.py",),
            draw=pictures.beside("Lines parsed a second, one process", -3),
        ),
        Bench(
            "pipeline",
            "Replay and watch, end to end",
            ("pipeline/speed.py",),
            draw=pictures.beside("Events a CPU second, by number of keys", -2, lead=2),
        ),
        Bench(
            "workers",
            "Workers that share a topic of Kafka",
            ("pipeline/workers.py",),
            draw=pictures.workers,
        ),
        Bench("killed", "Watches killed at random moments", ("pipeline/kill.py",)),
        Bench(
            "imports",
            "Taking over a million keys",
            ("keystore/imports.py",),
            draw=pictures.imports,
        ),
        Bench(
            "feed",
            "From a change of a key to a follower",
            ("keystore/feed.py",),
            draw=pictures.feed,
        ),
        Bench(
            "peers",
            "The same log through other programs",
            ("pipeline/peers.py",),
            draw=pictures.beside("Lines a CPU second", -1, "keywatch"),
        ),
        Bench(
            "memory",
            "Memory over a long stream",
            ("pipeline/memory.py", "--lines", "5000000"),
            draw=pictures.memory,
        ),
        Bench(
            "detect",
            "Detectors alone",
            ("detect/speed.py",),
            draw=pictures.detect,
        ),
        Bench(
            "trees",
            "Detectors beside river and pandas",
            ("detect/peers.py",),
            draw=pictures.beside("Events a CPU second", -1, "keywatch"),
        ),
        Bench(
            "anomaly",
            "Detectors against the anomaly benchmark",
            ("detect/beside.py", *map(str, arguments.anomaly)),
            "" if arguments.anomaly else no("anomaly DIR"),
            pictures.rules,
        ),
        Bench(
            "scan",
            "Scanning histories, beside bare git",
            ("scan/history.py", *map(str, arguments.repository)),
            "" if arguments.repository else no("repository DIR"),
            pictures.histories,
        ),
        Bench(
            "start",
            "How soon a scan is there",
            ("scan/start.py", *map(str, arguments.repository[-1:])),
            draw=pictures.start,
        ),
        Bench(
            "worst",
            "Inputs made to be slow",
            ("scan/worst.py", "--rounds", "1"),
            draw=pictures.worst,
        ),
        Bench(
            "redact",
            "Secrets out of a stream",
            ("scan/redact.py",),
            draw=pictures.redact,
        ),
        Bench(
            "accuracy",
            "Accuracy on labelled lines",
            ("accuracy/creddata.py", str(arguments.creddata)),
            "" if arguments.creddata else no("creddata FILE"),
            pictures.confidences,
        ),
        Bench(
            "gateway",
            "The gateway beside an empty application",
            ("gateway/run.py",),
            "" if shutil.which("wrk") else "needs wrk",
            pictures.requests,
        ),
        Bench(
            "hot",
            "What a hot key takes of the gateway's memory",
            ("gateway/memory.py",),
            draw=pictures.hot,
        ),
        Bench(
            "timing",
            "Whether a look-up's time tells of a key",
            ("gateway/timing.py",),
            draw=pictures.timing,
        ),
        Bench("lockout", "From a revocation to the gateway's refusal", ("gateway/lockout.py",)),
        Bench(
            "miss",
            "A key that is not in the gateway's memory",
            ("gateway/miss.py",),
            draw=pictures.miss,
        ),
        Bench(
            "push",
            "From a push to the revoked key",
            ("actions/push.py",),
            draw=pictures.spans("Milliseconds from a webhook to the revoked key"),
        ),
        Bench(
            "latency",
            "From a log line to the gateway's refusal",
            ("actions/latency.py", "--rate", "20000"),
            draw=pictures.spans("Milliseconds from a line of the log to 401, at 20,000 lines/s"),
        ),
        Bench(
            "kills",
            "Executors killed at random moments",
            ("actions/kill.py",),
            draw=pictures.kills,
        ),
        Bench(
            "benign",
            "Harmless changes against the default policy",
            ("actions/benign.py", *map(str, arguments.anomaly[:1])),
            "" if arguments.anomaly else no("anomaly DIR"),
            draw=pictures.benign,
        ),
        Bench(
            "mutants",
            "Changes of the code that the tests notice",
            ("mutants.py", "--sample", str(arguments.mutants), "--seed", "2"),
            "" if arguments.mutants else no("mutants N"),
            draw=pictures.mutants,
        ),
        Bench(
            "soak",
            "Mixed load with faults",
            ("soak/run.py", "--minutes", str(arguments.soak)),
            "" if arguments.soak else no("soak MINUTES"),
            draw=pictures.soak,
        ),
        Bench(
            "console",
            "Pages of the console, a million keys",
            ("console/pages.py",),
            draw=pictures.beside("Processor milliseconds a page", -2),
        ),
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


def section(bench: Bench, said: str) -> str:
    """Return a part of the page."""
    lines = [f"`bench/{bench.words[0]}`, {_where()}", ""]
    if bench.lacking:
        lines += [f"Left out: {bench.lacking}."]
    else:
        lines += [*picture(bench, said), drawn.table(said)]
    return "\n".join(lines) + "\n"


def picture(bench: Bench, said: str) -> list[str]:
    """Draw what a bench printed; return how the page shows it."""
    if not bench.draw:
        return []
    name = f"bench-{bench.name}.svg"
    (PICTURES / name).write_text(bench.draw(said))
    return [f"![{bench.title}](pictures/{name})", ""]


def redrawn(bench: Bench, body: str) -> str:
    """Draw a part of the page anew from the figures that stand there, and return it."""
    head, fence, said = body.partition("```text\n")
    if fence:
        told = said.partition("\n```")[0]
    else:
        head, fence, said = body.partition("\n| ")
        head, fence = head + fence[:1], fence[1:]
        told = drawn.folded(fence + said) if fence else ""
    if not told or not bench.draw:
        return body
    head = re.sub(r"!\[[^]]*\]\(pictures/[^)]*\)\n\n", "", head)
    return head + "\n".join([*picture(bench, told), ""]) + fence + said


def _where() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"Python {platform.python_version()}"
    return f"{datetime.now(UTC).date()}, {platform.machine()}, {_processor()}, {python}, {packages}"


INTRODUCTION = """# Benchmarks
Written by `make bench` (bench/run.py); every figure comes from the script named.
"""


def parts(text: str) -> dict[str, str]:
    """Return the parts of a page by their titles."""
    found = [part.partition("\n") for part in text.split("\n## ")[1:]]
    return {title: body.strip("\n") + "\n" for title, _, body in found}


def page(known: dict[str, str], titles: list[str]) -> str:
    """Return the page, its parts in the order of the titles; others stay behind what they follow."""
    order, last = list(titles), ""
    for title in known:
        if title not in titles:
            order.insert(order.index(last) + 1 if last else 0, title)
        last = title
    body = "".join(f"\n## {title}\n{known[title]}" for title in order if title in known)
    return INTRODUCTION + body


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
    parser.add_argument("--anomaly", type=Path, action="append", default=[])
    parser.add_argument("--creddata", type=Path)
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="an hour says something")
    parser.add_argument("--mutants", type=int, metavar="N", help="so many of each module")
    parser.add_argument("--redraw", action="store_true", help="pictures of what the page says")
    parser.add_argument("--only", action="append", default=[])
    arguments = parser.parse_args()
    every = benches(arguments)
    titles = [bench.title for bench in every]
    kept = (arguments.only or arguments.redraw) and PAGE.is_file()
    known = parts(PAGE.read_text()) if kept else {}
    if arguments.redraw:
        for bench in every:
            if bench.title in known:
                known[bench.title] = redrawn(bench, known[bench.title])
        PAGE.write_text(page(known, titles))
        return
    for bench in every:
        if arguments.only and bench.name not in arguments.only:
            continue
        known[bench.title] = section(bench, "" if bench.lacking else run(bench))
        PAGE.write_text(page(known, titles))


if __name__ == "__main__":
    main()
