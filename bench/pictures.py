"""Pictures of what benches print, each drawn from the figures alone."""

import json
import re
from collections.abc import Callable

import drawn


def histories(said: str) -> str:
    """Draw how many times the time of bare git everybody takes."""
    values = [
        (
            f"{row['repository']}: {name.removesuffix('wall_ratio').strip('_') or 'keywatch'}",
            float(value),
        )
        for row in drawn.pairs(said)
        for name, value in row.items()
        if name.endswith("wall_ratio")
    ]
    return drawn.bars("Full history, times the wall time of bare git cat-file", values)


def memory(said: str) -> str:
    """Draw the memory over the stream."""
    rows = [line.split() for line in said.splitlines() if line.split()[0].isdigit()]
    points = [(int(row[0]), float(row[2])) for row in rows]
    return drawn.line("Resident memory in MiB over the lines of a stream", points)


def beside(title: str, column: int, ours: str = "", lead: int = 0) -> Callable[[str], str]:
    """Return what draws one column of what was printed; `ours` is what names of our own hold."""

    def draw(said: str) -> str:
        return drawn.bars(title, drawn.named(said, column, lead), ours)

    return draw


def rules(said: str) -> str:
    """Draw recall and false alerts of keywatch beside those of simple rules."""
    table = said.rpartition("false a clean key-day")[2]
    values = [
        (f"{name}: {what}", value)
        for what, column in (("thefts noticed", -5), ("false a key-day", -4))
        for name, value in drawn.named(table, column)
    ]
    return drawn.bars("Thefts noticed, and false alerts a clean key-day", values)


def confidences(said: str) -> str:
    """Draw precision and recall at each confidence."""
    rows = said.partition("by category")[0]
    values = [
        (f"{name.removeprefix('keywatch, ')}: {what}", value)
        for what, column in (("precision", -6), ("recall", -5))
        for name, value in drawn.named(rows, column)
        if name.startswith("keywatch")
    ]
    return drawn.bars("Labelled lines, by the least confidence asked for", values, "")


def requests(said: str) -> str:
    """Draw the processor time of a request through the gateway, its peers and an empty application."""
    found = json.loads(said)
    rows = {"an empty application": found["empty"], "gateway, answers itself": found["gateway"]}
    rows["gateway, asked by /auth"] = found["auth"]
    rows |= {name.replace("10000 + ", "keys, "): row for name, row in found["peers"].items()}
    values = [(name, row["cpu_us_per_request"]) for name, row in rows.items()]
    return drawn.bars("CPU microseconds a request", values, "gateway")


def spans(title: str) -> Callable[[str], str]:
    """Return what draws percentiles that were printed as `p50 1 ms, p90 2 ms`."""

    def draw(said: str) -> str:
        found = re.findall(r"(p[0-9]+|longest) ([0-9.]+) ms", said)
        return drawn.bars(title, [(name, float(value)) for name, value in found], "")

    return draw


def workers(said: str) -> str:
    """Draw how many events a second workers read together, and what one does in a CPU second."""
    rows = re.findall(r"^ +(\d+) +([\d,]+) +[\d.]+ +([\d,]+) +[\d.]+$", said, re.MULTILINE)
    values = [
        (f"{count} worker{'s' * (count != '1')}, {what}", figure(value))
        for count, together, alone in rows
        for what, value in (("all together", together), ("each, a CPU second", alone))
    ]
    return drawn.bars("Events a second, of one topic on two cores", values, "together")


def imports(said: str) -> str:
    """Draw how long it takes to take keys over."""
    keys, wall, cpu = re.findall(r"([\d,]+) keys: ([\d,]+) s wall, ([\d,]+) s CPU", said)[0]
    values = [("by the clock", figure(wall)), ("of a processor", figure(cpu))]
    return drawn.bars(f"Seconds to take over {keys} keys", values, "processor")


def feed(said: str) -> str:
    """Draw how soon a follower knows of a change."""
    values = [
        (f"{line.partition('  ')[0]}: {name}", float(value))
        for line in said.splitlines()
        for name, value in re.findall(r"(p\d+|worst) +([\d.]+) ms", line)
    ]
    return drawn.bars("Milliseconds from a change of a key to a follower", values, "in process")


def detect(said: str) -> str:
    """Draw how fast the detectors are by number of keys."""
    row = re.compile(r"^ *([\d,]+ keys) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) ", re.MULTILINE)
    stages = ("making profiles", "the same day", "the next day", "400 of them alone")
    values = [
        (f"{keys}: {stage}", figure(value))
        for keys, *found in row.findall(said)
        for stage, value in zip(stages, found, strict=True)
    ]
    return drawn.bars("Events a CPU second in step()", values, "the next day")


def start(said: str) -> str:
    """Draw how long commands take."""
    rows = re.findall(r"^(\S.*?) {2,}([\d.]+) +[\d.]+$", said, re.MULTILINE)
    values = [(name, float(value)) for name, value in rows]
    return drawn.bars("Seconds by the clock; one staged file among 5,053", values)


def worst(said: str) -> str:
    """Draw how the time grows with inputs that are made to be slow."""
    row = re.compile(
        r"^(\S.*?) +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +([\d.]+) +([\d.]+) +\d+$", re.MULTILINE
    )
    values = [(f"{name}, {times} times as large", float(r)) for name, times, r in row.findall(said)]
    return drawn.bars("Times the processor time, for an input that is larger", values, "")


def redact(said: str) -> str:
    """Draw how many megabytes a second come through."""
    rows = re.findall(r"^(\S.*?) {2,}([\d.]+) MB/s", said, re.MULTILINE)
    return drawn.bars("Megabytes a second, without starting", [(n, float(v)) for n, v in rows])


def hot(said: str) -> str:
    """Draw the bytes that a key in use takes."""
    found = json.loads(said)
    values = [
        ("resident, of the process", float(found["resident_bytes"])),
        ("held by its objects", float(found["held_bytes"])),
    ]
    return drawn.bars(f"Bytes a key, of {int(found['hot']):,} in use", values, "resident")


def timing(said: str) -> str:
    """Draw how clearly times tell keys that are there from others."""
    found = json.loads(said)
    values = [
        ("keywatch's look-up", float(found["look_up_t"])),
        ("told apart from here on", float(found["told_apart_at"])),
        ("a comparison byte by byte", float(found["naive_t"])),
    ]
    return drawn.bars("Welch's t of times: near beside far from a key", values)


def miss(said: str) -> str:
    """Draw how long a key takes that has to be read first."""
    found = json.loads(said)
    values = [
        (f"{name}, {at_once.rpartition('_')[2]} at once: {share.removesuffix('_ms')}", float(value))
        for name, store in (("SQLite", found["sqlite"]), ("PostgreSQL", found["postgresql"]))
        for at_once, shares in store.items()
        for share, value in shares.items()
    ]
    return drawn.bars("Milliseconds to read a key that was not in memory", values, "SQLite")


def kills(said: str) -> str:
    """Draw how many times an executor was killed, and whether all held."""
    rows = re.findall(r"^(\d+) kills (.+) in \d+ s: (\w+)$", said, re.MULTILINE)
    values = [(f"{what}: {came}", float(count)) for count, what, came in rows]
    return drawn.bars("Executors killed; whether every effect came about once", values, "held")


def benign(said: str) -> str:
    """Draw the share of keys that are revoked at once, by scenario."""
    rows = re.findall(r"^ +(\d+) +\d+ +(\d+) +\d+ +\d+ +(\d+)", said, re.MULTILINE)
    values = [
        (f"{number}, {'theft' if int(number) <= THEFTS else 'harmless'}", share(revoked, keys))
        for number, keys, revoked in rows
    ]
    return drawn.bars(
        "Percent of a scenario's keys that critical evidence revokes", values, "theft"
    )


THEFTS = 14
"""The scenarios up to here are attacks, see bench/anomaly; the others are no harm."""


def mutants(said: str) -> str:
    """Draw how many of the changes that were tried the tests noticed."""
    rows = re.findall(r"^\| (\w+) \| \d+ \| (\d+) \| (\d+) \|$", said, re.MULTILINE)
    values = both(rows, ("noticed", "survived"))
    return drawn.bars("Changes of a module's code, of those that were tried", values, "noticed")


def soak(said: str) -> str:
    """Draw the memory in the second quarter of the time without kills, and at its end."""
    rows = re.findall(r"^memory of (\w+): (\d+) MiB, and (\d+) MiB", said, re.MULTILINE)
    values = both(rows, ("second quarter", "end"))
    return drawn.bars("Resident MiB under mixed load with faults", values, "end")


def both(rows: list[tuple[str, ...]], of: tuple[str, str]) -> list[tuple[str, float]]:
    """Return two bars for each row of a name and two figures."""
    return [
        (f"{name}: {what}", float(value))
        for name, *values in rows
        for what, value in zip(of, values, strict=True)
    ]


def figure(written: str) -> float:
    """Return the number of `1,234`."""
    return float(written.replace(",", ""))


def share(part: str, whole: str) -> float:
    """Return in percent how much a part is; of nothing, nothing."""
    return round(100 * int(part) / int(whole), 1) if int(whole) else 0.0
