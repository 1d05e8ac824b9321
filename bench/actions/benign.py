"""Harmless changes end in no revocation, attacks with critical evidence do: the default policy.

    python bench/actions/benign.py DIR [--policy FILE]

DIR is a folder of the anomaly benchmark (access.log.gz, keys.jsonl, geo-*.mmdb, truth.jsonl).
Replays its log with all actions enabled, and counts by scenario the incidents on whose keys, in
their time, there was a critical alert, a revocation, or one that a guard held. Ends with 1 when a
harmless one led to a revocation.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from vocabulary.moments import moment_of

FIRST_BENIGN = 15
LATE_S = 3600.0


def replayed(folder: Path, policy: str) -> tuple[list[dict], list[dict]]:
    """Return the alerts of a replay, and what was done to keys, held or not."""
    switch = json.loads((folder / "meta.json").read_text())["geo_switch_at"]
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as alerts:
        command = [
            *(sys.executable, "-m", "keywatch", "replay", str(folder / "access.log.gz")),
            *("--format", "nginx-json", "--keys", str(folder / "keys.jsonl")),
            *("--geoip-city", str(folder / "geo-city.mmdb")),
            *("--geoip-city", f"{folder / 'geo-city-after.mmdb'}@{switch}"),
            *("--geoip-asn", str(folder / "geo-asn.mmdb")),
            *("--policy", policy, "--alerts", alerts.name, "--json"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr[-2000:])
        told = [json.loads(line) for line in Path(alerts.name).read_text().splitlines()]
    (hits,) = json.loads(done.stdout)["hits"].values()
    return told, hits


def keys_of(incident: dict) -> set[str]:
    return set(incident.get("keys") or [incident.get("key")])


def within(incident: dict, at: str) -> bool:
    begin, end = moment_of(incident["start"], 0.0), moment_of(incident["end"], 0.0)
    return begin <= moment_of(at, 0.0) <= end + LATE_S


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    default = Path(__file__).parents[2] / "actions" / "policy.toml"
    parser.add_argument("--policy", default=str(default))
    arguments = parser.parse_args()
    told, hits = replayed(arguments.folder, arguments.policy)
    truth = [json.loads(x) for x in (arguments.folder / "truth.jsonl").read_text().splitlines()]
    incidents, critical, revoked, held = Counter(), Counter(), Counter(), Counter()
    for incident in truth:
        number, keys = incident["scenario"], keys_of(incident)
        incidents[number] += 1
        critical[number] += any(
            alert.get("key") in keys
            and alert["severity"] == "critical"
            and within(incident, alert["ts"])
            for alert in told
        )
        ended = [
            hit["state"] for hit in hits
            if hit["key"] in keys and hit["action"] == "revoke" and within(incident, hit["at"])
        ]  # fmt: skip
        revoked[number] += "done" in ended
        held[number] += "held" in ended and "done" not in ended
    print(f"{'scenario':>8} {'incidents':>10} {'critical':>9} {'revoked':>8} {'held':>5}")
    for number in sorted(incidents):
        counts = (incidents[number], critical[number], revoked[number], held[number])
        print("{:>8} {:>10} {:>9} {:>8} {:>5}".format(number, *counts))
    wrong = sum(count for number, count in revoked.items() if number >= FIRST_BENIGN)
    harmless = sum(count for number, count in incidents.items() if number >= FIRST_BENIGN)
    attacks = [n for n in incidents if n < FIRST_BENIGN]
    print(f"harmless: {wrong} of {harmless} ended in a revocation")
    print(
        f"attacks with critical evidence: {sum(critical[n] for n in attacks)}, of them revoked "
        f"{sum(revoked[n] for n in attacks)}, held by a guard {sum(held[n] for n in attacks)}"
    )
    print(
        f"revocations altogether: {sum(h['action'] == 'revoke' for h in hits)} on {len(hits)} hits"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
