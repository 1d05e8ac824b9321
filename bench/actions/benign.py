"""Harmless changes end in no revocation, attacks with critical evidence do: the default policy.

    python bench/actions/benign.py DIR [--policy FILE]

DIR is a folder of the anomaly benchmark (access.log.gz, keys.jsonl, geo-*.mmdb, truth.jsonl).
Replays its log with all actions enabled, and tells by scenario of how many keys there was critical
evidence in the time of an incident, how many of those were revoked, and what held the others. What
happens to a key is its attack's where it has one, else its harmless incident's, else nobody's.
Ends with 1 when a key was revoked without an attack, or one with critical evidence was not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from vocabulary.moments import moment_of

FIRST_BENIGN = 15
NOBODYS = 99
LATE_S = 3600.0


@dataclass
class Scenario:
    """What became of the keys of one scenario's incidents."""

    incidents: int = 0
    keys: int = 0
    critical: set[tuple[str, str]] = field(default_factory=set)
    revoked: set[tuple[str, str]] = field(default_factory=set)
    held: dict[tuple[str, str], str] = field(default_factory=dict)

    def row(self) -> tuple[int, int, int, int, int, str]:
        """Return incidents, keys, critical, not critical, revoked, and why the rest was not."""
        left = self.critical - self.revoked
        why = Counter(self.held.get(one, "acted on before") for one in left)
        said = ", ".join(f"{n} {reason}" for reason, n in sorted(why.items()))
        critical = len(self.critical)
        return self.incidents, self.keys, critical, self.keys - critical, len(self.revoked), said


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


class Truth:
    """The incidents of the benchmark, by key."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "truth.jsonl").read_text().splitlines()
        self.scenarios = {NOBODYS: Scenario()}
        self._of_key: dict[str, list[tuple[float, float, int, str]]] = {}
        for incident in map(json.loads, lines):
            number, keys = incident["scenario"], incident.get("keys") or [incident["key"]]
            begin, end = (moment_of(incident[name], 0.0) for name in ("start", "end"))
            one = self.scenarios.setdefault(number, Scenario())
            one.incidents += 1
            one.keys += len(keys)
            for key in keys:
                span = (begin, end + LATE_S, number, incident["start"])
                self._of_key.setdefault(key, []).append(span)

    def at(self, key: str, moment: str) -> tuple[Scenario, tuple[str, str]]:
        """Return whose a moment of a key is, and which of its incidents."""
        at = moment_of(moment, 0.0)
        mine = [
            (number, start)
            for begin, end, number, start in self._of_key.get(key, ())
            if begin <= at <= end
        ]
        number, start = min(mine, default=(NOBODYS, moment[:10]))
        return self.scenarios[number], (key, start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    default = Path(__file__).parents[2] / "actions" / "policy.toml"
    parser.add_argument("--policy", default=str(default))
    arguments = parser.parse_args()
    told, hits = replayed(arguments.folder, arguments.policy)
    return report(Truth(arguments.folder), told, hits)


def report(truth: Truth, told: list[dict], hits: list[dict]) -> int:
    """Print what became of each scenario; return 1 when it is not as it ought to be."""
    for alert in told:
        if alert["severity"] == "critical" and "key" in alert:
            scenario, one = truth.at(alert["key"], alert["ts"])
            scenario.critical.add(one)
    for hit in hits:
        scenario, one = truth.at(hit["key"], hit["at"])
        if hit["action"] == "revoke" and hit["state"] == "done":
            scenario.revoked.add(one)
        elif hit["state"] == "held":
            scenario.held[one] = f"{hit['action']} held: {hit['guard'].partition(':')[0]}"
    layout = "{:>8} {:>9} {:>6} {:>8} {:>12} {:>7}  {}"
    print(layout.format("scenario", "incidents", "keys", "critical", "not critical", "revoked", ""))
    wrong = missed = 0
    for number, scenario in sorted(truth.scenarios.items()):
        name = "none" if number == NOBODYS else number
        print(layout.format(name, *scenario.row()))
        if number >= FIRST_BENIGN:
            wrong += len(scenario.revoked)
        else:
            missed += len(scenario.critical - scenario.revoked)
    attacked = [one for number, one in truth.scenarios.items() if number < FIRST_BENIGN]
    critical = sum(len(one.critical) for one in attacked)
    print(f"keys revoked without an attack: {wrong}")
    print(f"attacked keys with critical evidence: {critical}, of them revoked {critical - missed}")
    return bool(wrong or missed)


if __name__ == "__main__":
    sys.exit(main())
