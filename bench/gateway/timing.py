"""Does the time of a cold look-up tell how much of a key was guessed? A statistical test.

    .venv/bin/python bench/gateway/timing.py [--rounds 4000]

Wrong keys that share a prefix of different lengths with a right one are looked up in random order,
past every cache, each of them once: how long a hash takes to be found depends on the hash, so that
one key a length would be told apart by where its own hash stands in the index. Between any two lengths Welch's t is computed over the faster nine tenths of the
times (what others on the machine cost is no secret of the key's). Beyond 4.5 the lengths would be
told apart (Reparaz, Balasch, Verbauwhede: Dude, is my code constant time?, 2017). Exit 1 if they
are. As a check that the test can see a difference, a comparison byte by byte is tested too.
"""

import argparse
import json
import random
import statistics
import string
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from database.transaction import open_database
from gateway.follower import Follower, Question, place_of
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from vocabulary.credential import credential_of

TOLD_APART = 4.5
LETTERS = string.ascii_letters + string.digits


Wrong = list[tuple[int, str]]
"""Wrong keys, each with the length of what it shares with the right one, in random order."""


def wrong_keys(right: str, rounds: int) -> Wrong:
    """Make so many wrong keys for each of some lengths."""
    chance = random.Random(1)
    made = []
    for length in (8, 16, 24, 32, 40, len(right) - 1):
        for _ in range(rounds):
            rest = [chance.choice(LETTERS.replace(letter, "")) for letter in right[length:]]
            made.append((length, right[:length] + "".join(rest)))
    chance.shuffle(made)
    return made


def timed(act: Callable[[str], object], wrong: Wrong) -> dict[int, list[int]]:
    """Return nanoseconds of processor time for each length."""
    found: dict[int, list[int]] = {}
    for length, secret in wrong:
        begin = time.thread_time_ns()
        act(secret)
        found.setdefault(length, []).append(time.thread_time_ns() - begin)
    return found


def largest_t(found: dict[int, list[int]]) -> float:
    """Return the largest Welch's t between any two lengths."""
    cut = [sorted(times)[: len(times) * 9 // 10] for times in found.values()]
    told = [(statistics.fmean(c), statistics.variance(c) / len(c)) for c in cut]
    return max(
        abs(a - b) / (va + vb) ** 0.5 for n, (a, va) in enumerate(told) for b, vb in told[n + 1 :]
    )


def naive(right: str) -> Callable[[str], bool]:
    """Return the comparison that one must not write."""

    def compare(other: str) -> bool:
        return all(a == b for a, b in zip(right, other, strict=True))

    return compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'keys.db'}")
        right = KeyStore(engine).create(KeyOrder(), actor="bench").secret
        wrong = wrong_keys(right, options.rounds)
        follower = Follower(engine, place_of(engine))

        def look_up(secret: str) -> object:
            credential = credential_of(secret)
            return follower.look_up([Question(bytes.fromhex(credential.sha256), credential)])

        timed(look_up, wrong[:600])
        ours = largest_t(timed(look_up, wrong))
        theirs = largest_t(timed(naive(right), wrong))
        follower.close()
        engine.dispose()
    said = {"look_up_t": round(ours, 2), "naive_t": round(theirs, 2), "told_apart_at": TOLD_APART}
    print(json.dumps(said, indent=2))
    sys.exit(ours > TOLD_APART)


main()
