"""The same log through what one would reach for otherwise, for scale: events a second of CPU.

    python bench/pipeline/peers.py [--keys 400] [--events 250000]

`pandas` is the roll-up that everybody writes first: parse, count by key and minute, and compare
with the key's mean and deviation so far. It knows one signal and keeps nothing on disk. `fail2ban`
is `fail2ban-regex` with one expression, where it is installed.
"""

import argparse
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from traffic import write

OUT = Path(__file__).parent.parent / "out"
EXPRESSION = r'"remote_addr":"<HOST>".*"status":404'


def children_s() -> float:
    """Return the CPU seconds of the processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def measure(name: str, command: list[str], events: int) -> None:
    """Run a command and print what it took."""
    before = children_s()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    spent = children_s() - before
    print(f"{name:10}{spent:>9.2f}{events / spent:>13,.0f}", flush=True)


def roll_up(log: Path) -> None:
    """Count requests by key and minute, and note the counts far above the key's mean."""
    import pandas as pd  # noqa: PLC0415  (only in the process that is measured)

    past: pd.DataFrame | None = None
    alerts = 0
    for part in pd.read_json(log, lines=True, chunksize=50_000):
        minute = pd.to_datetime(part["time_iso8601"]).dt.floor("min")
        counts = part.groupby([part["api_key_id"], minute]).size()
        now = counts.groupby(level=0).agg(["count", "sum", lambda n: (n * n).sum()])
        now.columns = pd.Index(["n", "total", "squares"])
        if past is not None:
            known = past.reindex(counts.index.get_level_values(0)).fillna(0.0).to_numpy()
            n = known[:, 0].clip(min=1)
            mean = known[:, 1] / n
            deviation = (known[:, 2] / n - mean * mean).clip(min=0.25) ** 0.5
            alerts += int(((counts.to_numpy() - mean) > 3 * deviation)[known[:, 0] > 10].sum())
        past = now if past is None else past.add(now, fill_value=0.0)
    print(alerts)


def main() -> None:
    """Measure the peers that are there, and keywatch beside them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=400)
    parser.add_argument("--events", type=int, default=250_000)
    parser.add_argument("--roll-up", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.roll_up:
        roll_up(arguments.roll_up)
        return
    log = write(arguments.keys, arguments.events, OUT / f"{arguments.keys}-{arguments.events}.log")
    print(f"{'':10}{'cpu s':>9}{'events/s':>13}")
    replay = ["-m", "keywatch", "replay", str(log), "--format", "nginx-json", "--alerts"]
    measure("keywatch", [sys.executable, *replay, "/dev/null"], arguments.events)
    measure("pandas", [sys.executable, __file__, "--roll-up", str(log)], arguments.events)
    if shutil.which("fail2ban-regex"):
        words = ["fail2ban-regex", "--usedns=no", str(log), EXPRESSION]
        measure("fail2ban", words, arguments.events)
    else:
        print("fail2ban  is not installed")


if __name__ == "__main__":
    main()
