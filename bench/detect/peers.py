"""The same parsed events through the detectors, through river and through pandas, in one run.

    python bench/detect/peers.py [--keys 400] [--events 131072]

`river` is a HalfSpaceTrees for each key (10 trees of height 6, windows of 250) over the hour, the
gap to the last event, the status, the size and a hash of the network, scored and then taught one
event at a time; it runs where river is installed (`pip install river`), on fewer events. `pandas`
is the roll-up that everybody writes first: events by key and minute against the key's mean and
deviation so far. Neither stores anything; `step()` does not either here. CPU seconds.
"""

import argparse
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from speed import START_MS, batch

from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from vocabulary.access import EventBatch

SIZE = 16384
RIVER_EVENTS = 16384


def made(keys: int, events: int) -> list[EventBatch]:
    """Return batches of ten minutes each, one hour apart."""
    rng = np.random.default_rng(1)
    names = [f"key_{i:016x}" for i in range(keys)]
    count = math.ceil(events / SIZE)
    return [batch(rng, names, SIZE, START_MS + i * 3_600_000) for i in range(count)]


def ours(batches: Sequence[EventBatch]) -> int:
    watcher = Watcher(geo=GeoReader(), clock=lambda: math.inf)
    return sum(len(watcher.step(one, {}).alerts) for one in batches)


def rolled_up(batches: Sequence[EventBatch]) -> int:
    import pandas as pd  # noqa: PLC0415  (a peer)
    from rollup import RollUp  # noqa: PLC0415

    rolled = RollUp()
    for one in batches:
        names = np.array(one.keys, object)[one.key]
        frame = pd.DataFrame({"key": names, "minute": one.ts_ms // 60_000})
        rolled.add(frame.groupby(["key", "minute"]).size())
    return rolled.alerts


def one_by_one(batches: Sequence[EventBatch]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each event's key and five numbers between 0 and 1."""
    last: dict[str, int] = {}
    for one in batches:
        columns = zip(
            one.key.tolist(), one.ts_ms.tolist(), one.ip.tolist(), one.status.tolist(),
            one.size.tolist(), strict=True,
        )  # fmt: skip
        for code, t, ip, status, size in columns:
            key = one.keys[code]
            gap = t - last.get(key, t)
            last[key] = t
            yield (
                key,
                {
                    "hour": t // 3_600_000 % 24 / 24,
                    "gap": min(math.log1p(max(gap, 0)) / 20, 1.0),
                    "status": status / 600,
                    "size": min(math.log1p(size) / 20, 1.0),
                    "network": hash(one.ips[ip]) % 1024 / 1024,
                },
            )


def half_space_trees(batches: Sequence[EventBatch]) -> int:
    from river.anomaly import HalfSpaceTrees  # noqa: PLC0415  (a peer)

    trees = defaultdict(lambda: HalfSpaceTrees(n_trees=10, height=6, window_size=250, seed=1))
    alerts = 0
    for key, x in one_by_one(batches):
        tree = trees[key]
        alerts += tree.score_one(x) > 0.99
        tree.learn_one(x)
    return alerts


def measure(
    name: str, run: Callable[[Sequence[EventBatch]], int], on: Sequence[EventBatch]
) -> None:
    began = time.process_time()
    run(on)
    spent = time.process_time() - began
    events = sum(len(one) for one in on)
    print(f"{name:26}{events:>10,}{spent:>9.2f}{events / spent:>13,.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--keys", type=int, default=400)
    parser.add_argument("--events", type=int, default=131_072)
    args = parser.parse_args()
    batches = made(args.keys, args.events)
    print(f"{'':26}{'events':>10}{'cpu s':>9}{'events/s':>13}")
    measure("keywatch, step()", ours, batches)
    measure("pandas, roll-up", rolled_up, batches)
    if find_spec("river"):
        few = batches[: max(RIVER_EVENTS // SIZE, 1)]
        measure("river, HalfSpaceTrees", half_space_trees, few)
    else:
        print("river is not installed")


if __name__ == "__main__":
    main()
