"""Run the detectors over the anomaly benchmark and write their alerts for its scorer.

python bench/detect/run.py DIR [--batch 65536] [--no-facts] [--out alerts.jsonl] [--score]
    [--sessions DAYS]

With --sessions a model of sessions is trained on the first days, and used.
"""

import argparse
import json
import math
import pickle
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from log import batches, facts

from detectors.forest import Forest
from detectors.geoip import GeoReader
from detectors.training import Collection, grow
from detectors.watcher import Watcher
from vocabulary.alert import Alert

WARM_UP_DAYS = 28
SCORER = Path(__file__).parent.parent / "anomaly" / "score.py"
ACTIONS = {"critical": "revoke", "high": "throttle"}


def reader(folder: Path) -> GeoReader:
    switch = json.loads((folder / "meta.json").read_text())["geo_switch_at"]
    city = (str(folder / "geo-city.mmdb"), f"{folder / 'geo-city-after.mmdb'}@{switch}")
    return GeoReader(city, (str(folder / "geo-asn.mmdb"),))


def line_of(alert: Alert) -> str:
    who = {"key": alert.key} if alert.key else {"ip": alert.ip}
    action = ACTIONS.get(alert.severity, "none") if alert.key else "none"
    row = {"ts": alert.ts, **who, "severity": alert.severity, "kind": alert.kind, "action": action}
    more = {"family": alert.family, "summary": alert.summary}
    more["detectors"] = {one.detector: one.p for one in alert.evidence}
    return json.dumps(row | more) + "\n"


def run(args: argparse.Namespace) -> None:
    known = {} if args.no_facts else facts(args.folder)
    forest = trained(args, known) if args.sessions else None
    watcher = Watcher(geo=reader(args.folder), forest=forest, clock=lambda: math.inf)
    events, spent, alerts = 0, 0.0, 0
    out = args.out or args.folder / "alerts-keywatch.jsonl"
    with out.open("w") as file:
        for batch in cached(args):
            began = time.perf_counter()
            step = watcher.step(batch, known)
            spent += time.perf_counter() - began
            events += step.events
            alerts += len(step.alerts)
            file.writelines(map(line_of, step.alerts))
    print(f"{events} events, {alerts} alerts, {events / spent:,.0f} events/s in step()")
    if args.score:
        command = [sys.executable, SCORER, "--truth", args.folder, "--alerts", out]
        subprocess.run([str(word) for word in command], check=True)


def trained(args: argparse.Namespace, known: dict) -> Forest:
    """Return a model of the sessions of the first days."""
    found = Collection()
    watcher = Watcher(geo=reader(args.folder), collect=found.take, clock=lambda: math.inf)
    scored_from = json.loads((args.folder / "meta.json").read_text())["scored_from"]
    begin = datetime.fromisoformat(scored_from) - timedelta(days=WARM_UP_DAYS)
    until = (begin + timedelta(days=args.sessions)).timestamp() * 1000
    for batch in cached(args):
        if batch.ts_ms.min() > until:
            break
        watcher.step(batch, known)
    return grow(found, ("bench",), 0.0)


def cached(args: argparse.Namespace):  # noqa: ANN201
    """Yield the batches; with --cache they are kept beside the log, for the next run."""
    path = args.folder / f"batches-{args.batch}.pickle"
    if path.exists() and args.cache:
        with path.open("rb") as file:
            while True:
                try:
                    yield pickle.load(file)
                except EOFError:
                    return
    if not args.cache:
        yield from batches(args.folder, args.batch)
        return
    with path.open("wb") as file:
        for batch in batches(args.folder, args.batch):
            pickle.dump(batch, file, protocol=5)
            yield batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch", type=int, default=65536)
    parser.add_argument("--no-facts", action="store_true")
    parser.add_argument("--cache", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--score", action="store_true")
    parser.add_argument("--sessions", type=int, default=0, metavar="DAYS")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
