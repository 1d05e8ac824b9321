"""`keywatch redact`: megabytes a second on one core, beside sed with a single expression.

    python bench/scan/redact.py [--lines N]

The log is made up; every thousandth line holds a token. Processor seconds.
"""

import argparse
import random
import resource
import shutil
import string
import subprocess
import sys
import tempfile
from pathlib import Path

from scanner.checksum import append

_LINE = (
    '{ip} - - [03/Nov/2025:09:12:44 +0000] "GET /v1/accounts/{n}/invoices?page=2{more} HTTP/1.1" 200 '
    '{n} "-" "client/{n} (linux; x86_64) python-requests/2.31" "-" "key_{n:016d}"\n'
)


def token(draw: random.Random) -> str:
    """Return something that looks like a GitHub token."""
    body = "".join(draw.choices(string.ascii_letters, k=30))
    return "ghp" + "_" + body + append("github", body)


def log(path: Path, lines: int) -> float:
    """Write a log; return its size in megabytes."""
    draw = random.Random(3)
    with path.open("w") as file:
        for number in range(lines):
            more = f"&token={token(draw)}" if number % 1000 == 0 else ""
            ip = f"198.51.{draw.randrange(40)}.{draw.randrange(250)}"
            file.write(_LINE.format(ip=ip, n=draw.randrange(20_000), more=more))
    return path.stat().st_size / 1e6


def cpu_s(words: list[str], stdin: Path | None = None) -> float:
    """Return the processor seconds that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with stdin.open("rb") if stdin else Path("/dev/null").open("rb") as given:
        subprocess.run(words, stdin=given, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=5_000_000)
    arguments = parser.parse_args()
    keywatch = str(Path(sys.executable).with_name("keywatch"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "access.log"
        megabytes = log(path, arguments.lines)
        cpu_s([keywatch, "redact"])  # compiles the rules, the first time
        rows = [("keywatch redact FILE", [keywatch, "redact", str(path)], None)]
        rows.append(("keywatch redact, from stdin", [keywatch, "redact"], path))
        if shutil.which("sed"):
            one = "s/ghp_[A-Za-z0-9]{36}/ghp_[REDACTED]/g"
            rows.append(("sed, one expression", ["sed", "-E", one, str(path)], None))
        start = cpu_s([keywatch, "redact"])
        print(
            f"{megabytes:.0f} MB; starting keywatch takes {start:.2f} s, which is not counted below"
        )
        for name, words, stdin in rows:
            seconds = cpu_s(words, stdin) - (start if words[0] == keywatch else 0.0)
            print(f"{name:30} {megabytes / seconds:8.0f} MB/s   {seconds:6.2f} s")


if __name__ == "__main__":
    main()
