"""The same log through what one would reach for otherwise, for scale: events a second of CPU.

    bench/pipeline/peers.sh bench/out/peers        # once: fetches fail2ban and Benthos
    python bench/pipeline/peers.py [--keys 400] [--events 1000000] [--peers bench/out/peers]

`keywatch` is `keywatch watch --once`: every detector, profiles and alerts committed to SQLite.
`pandas` is the roll-up that everybody writes first: parse, count by key and minute, and compare
with the key's mean and deviation so far; it knows one signal and keeps nothing on disk. `fail2ban`
is `fail2ban-regex` with one expression. `benthos` parses each line and keeps the key, the minute
and the status; it counts nothing. What is not there is left out.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from traffic import write

OUT = Path(__file__).parent.parent / "out"
EXPRESSION = r'"remote_addr":"<HOST>".*"status":404'
BENTHOS = """
http: {{enabled: false}}
input: {{file: {{paths: ["{log}"], scanner: {{lines: {{}}}}}}}}
pipeline:
  processors:
    - mapping: |
        root.key = this.api_key_id
        root.minute = this.time_iso8601.ts_parse("2006-01-02T15:04:05.999Z07:00").ts_round(60000000000)
        root.status = this.status
output: {{drop: {{}}}}
logger: {{level: ERROR}}
"""


def children_s() -> float:
    """Return the CPU seconds of the processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def measure(name: str, command: list[str], events: int, **more: str) -> None:
    """Run a command, with more in its environment, and print what it took."""
    before, began = children_s(), time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, **more}, check=False, capture_output=True, text=True
    )
    spent, wall = children_s() - before, time.perf_counter() - began
    if done.returncode:
        print(f"{name:10} failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        return
    print(f"{name:10}{wall:>9.2f}{spent:>9.2f}{events / spent:>15,.0f}", flush=True)


def roll_up(log: Path) -> None:
    """Roll a log up as a plain script would."""
    import pandas as pd  # noqa: PLC0415  (only in the process that is measured)
    from rollup import RollUp  # noqa: PLC0415

    rolled = RollUp()
    for part in pd.read_json(log, lines=True, chunksize=50_000):
        minute = pd.to_datetime(part["time_iso8601"]).dt.floor("min")
        rolled.add(part.groupby([part["api_key_id"], minute]).size())
    print(rolled.alerts)


def ours(log: Path, events: int, folder: str) -> None:
    """Measure keywatch."""
    words = ["-m", "keywatch", "watch", "--access-log", str(log), "--once"]
    database = f"sqlite:///{folder}/keywatch.db"
    measure("keywatch", [sys.executable, *words], events, KEYWATCH_DATABASE=database)


def theirs(log: Path, events: int, folder: str, peers: Path) -> None:
    """Measure the programs that are there."""
    fail2ban = peers / "fail2ban" / "usr"
    if (fail2ban / "bin" / "fail2ban-regex").exists():
        # Debian's own Python: the package has none of its own.
        command = ["/usr/bin/python3", str(fail2ban / "bin" / "fail2ban-regex"), "--usedns=no"]
        place = str(fail2ban / "lib" / "python3" / "dist-packages")
        measure("fail2ban", [*command, str(log), EXPRESSION], events, PYTHONPATH=place)
    else:
        print("fail2ban is not there: see peers.sh")
    if (peers / "benthos").exists():
        config = Path(folder) / "benthos.yaml"
        config.write_text(BENTHOS.format(log=log))
        measure("benthos", [str(peers / "benthos"), "-c", str(config)], events)
    else:
        print("benthos  is not there: see peers.sh")


def main() -> None:
    """Measure keywatch, and the others beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=400)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--peers", type=Path, default=OUT / "peers")
    parser.add_argument("--roll-up", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.roll_up:
        roll_up(arguments.roll_up)
        return
    events = arguments.events
    # The log that speed.py writes, too.
    log = write(arguments.keys, events, OUT / f"traffic-{arguments.keys}-{events}.log").resolve()
    print(f"{'':10}{'wall s':>9}{'cpu s':>9}{'events/cpu s':>15}")
    with tempfile.TemporaryDirectory() as folder:
        ours(log, events, folder)
        measure("pandas", [sys.executable, __file__, "--roll-up", str(log)], events)
        theirs(log, events, folder, arguments.peers.resolve())


if __name__ == "__main__":
    main()
