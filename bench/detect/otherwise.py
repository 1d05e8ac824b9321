"""Write the anomaly benchmark with people, places and incidents of other kinds.

    python bench/detect/otherwise.py --seed 103 --rhythms rhythms.tsv.gz --out DIR

People are made up: three shifts, weekend businesses, four nights on and four off, offices with late
evenings, mornings of part-timers, clocks that drift. They live elsewhere, travel eight times as
often, and thieves do less, for longer or with fewer networks. All else is the generator's.
"""

import importlib.util
import math
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vocabulary.access import Ints

GENERATOR = Path(__file__).parent.parent / "anomaly" / "generate.py"
HOUR_MS, DAY_MS, SATURDAY = 3_600_000, 86_400_000, 5
PARAMS = """
[world]
start = 2026-03-02
trips_per_year = 1.5
jumps_per_year = 0.5
cafes_per_year = 10
mislabelled = 0.04
born_late = 0.12
homes = {AU = 0.2, JP = 0.2, IN = 0.15, BR = 0.15, ZA = 0.08, NG = 0.07, US = 0.07}
[scenario]
1 = {requests = 40, minutes = 60}
2 = {requests = 15, minutes = 90}
4 = {keys = 200, each = 1, minutes = 20, known = 0.15, at_least = 15}
5 = {requests = 120, minutes = 120, asns = 20}
6 = {extra = 0.3, objects = 2.5, days = 10}
7 = {hours = [2, 4, 6], calls = 10}
8 = {factor = [5, 10], minutes = [60, 10, 5], n = 6}
9 = {per_second = 0.5, minutes = 20}
10 = {routes = 12, each = 2, wait_h = 3}
11 = {dormant_days = 60, requests = 40}
13 = {requests = 60}
14 = {share_403 = 0.25, minutes = 90}
15 = {days = [2, 10]}
16 = {exits = 3}
17 = {addresses = 40}
18 = {factor = 4, hours = 10}
20 = {factor = 10}
21 = {first_day = 50}
23 = {factor = 8, minutes = 40, failing_minutes = 20}
24 = {away_days = 21, factor = 6}
"""


class People:
    """Made-up people in place of the generator's `Rhythms`."""

    def __init__(self, path: Path, days: int, warmup: int) -> None:  # noqa: ARG002
        self.days = days

    def draw(self, rng: np.random.Generator) -> Ints:
        """Return the times of one person's sessions, in milliseconds since the first day."""
        kind = KINDS[int(rng.integers(len(KINDS)))]
        often, begin = rng.lognormal(math.log(3), 0.5), rng.normal(9, 1.5)
        times: list[int] = []
        for day in range(self.days):
            lived = Day(day, int(rng.poisson(often)), often, begin)
            for first, last, n in kind(rng, lived):
                if n > 0:
                    hours = first + rng.random(n) * (last - first)
                    times.extend((day * DAY_MS + hours * HOUR_MS).astype(int))
        found = np.sort(np.array(times, np.int64))
        return found[(found >= 0) & (found < self.days * DAY_MS)]


@dataclass(frozen=True, slots=True)
class Day:
    """A day of somebody's, counted from a Monday, with so many sessions if it is a working day."""

    number: int
    sessions: int
    often: float
    begin: float

    @property
    def weekday(self) -> int:
        """Which day of the week it is, from 0 on Monday."""
        return self.number % 7


Spans = Iterator[tuple[float, float, int]]
"""Between which hours of a day somebody works, and the sessions in each."""


def shifts(_: np.random.Generator, day: Day) -> Spans:
    begin = (6, 14, 22)[day.number // 7 % 3]
    if day.weekday < SATURDAY:
        yield begin, begin + 8, day.sessions


def weekends(rng: np.random.Generator, day: Day) -> Spans:
    if day.weekday >= SATURDAY - 1:
        yield 10, 22, day.sessions + 1
    elif rng.random() < 0.2:
        yield 11, 15, 1


def nights(_: np.random.Generator, day: Day) -> Spans:
    if day.number % 8 < 4:
        yield 19, 31, day.sessions


def office(rng: np.random.Generator, day: Day) -> Spans:
    if day.weekday < SATURDAY and rng.random() < 0.85:
        yield day.begin, day.begin + 8.5, day.sessions
    if rng.random() < 0.12:
        yield 20, 24, 1 + int(rng.poisson(1))


def mornings(rng: np.random.Generator, day: Day) -> Spans:
    if day.weekday in (0, 2, 3):
        yield day.begin - 1, day.begin + 4, day.sessions
    if rng.random() < 0.04:
        yield 0, 24, 1


def drifting(rng: np.random.Generator, day: Day) -> Spans:
    centre = 14 + 6 * math.sin(day.number / 9 + day.often)
    if rng.random() < 0.7:
        yield centre - 4, centre + 4, day.sessions


KINDS = (shifts, weekends, nights, office, mornings, drifting)


def main() -> None:
    spec = importlib.util.spec_from_file_location("generate", GENERATOR)
    assert spec, GENERATOR
    assert spec.loader, GENERATOR
    generate: Any = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = generate
    spec.loader.exec_module(generate)
    generate.Rhythms = People
    args = generate.arguments()
    params = generate.merged(tomllib.loads(generate.PARAMS), tomllib.loads(PARAMS))
    world = generate.World(params, args)
    generate.stage(world)
    count = generate.write(world, args.out)
    print(f"{count} events, {len(world.keys)} keys, {len(world.truth)} incidents in {args.out}")


if __name__ == "__main__":
    main()
