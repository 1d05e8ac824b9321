"""Run the detectors over CloudTrail archives and say what fires, and why.

    python bench/detect/cloudtrail.py ARCHIVE.tar.gz...

The events of an archive are put into the order of their times and read by the product's own format.
"""

import argparse
import json
import math
import tarfile
from collections import Counter
from pathlib import Path

from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from streams import formats
from streams.columns import batch_of


def records(archive: Path) -> list[dict]:
    """Return all events of an archive, in the order of their times."""
    found = []
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith((".json", ".log")):
                body = tar.extractfile(member).read()
                told = json.loads(body)
                found += told["Records"] if isinstance(told, dict) else told
    return sorted(found, key=lambda one: one.get("eventTime", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("archives", type=Path, nargs="+")
    for archive in parser.parse_args().archives:
        report(archive)


def report(archive: Path) -> None:
    events = records(archive)
    parsed = formats.find("cloudtrail").parse([json.dumps(one).encode() for one in events])
    step = Watcher(None, GeoReader(), clock=lambda: math.inf).step(batch_of(parsed), {})
    span = f"{events[0]['eventTime']} to {events[-1]['eventTime']}" if events else "nothing"
    keys, refused = len(set(parsed.key) - {""}), sum(s == 401 for s in parsed.status)
    print(f"{archive.name}: {len(events)} events of {keys} keys, {span}")
    print(f"  {len(parsed)} read, {refused} not accepted, {len(step.alerts)} alerts")
    why = Counter(
        (alert.severity, alert.family, alert.evidence[0].detector) for alert in step.alerts
    )
    for (severity, family, detector), n in sorted(why.items(), key=lambda one: -one[1]):
        print(f"  {n:4} {severity:8} {family:10} {detector}")
    for alert in step.alerts[:12]:
        print(f"  {alert.ts} {alert.severity:8} {alert.summary}")
    print()


if __name__ == "__main__":
    main()
