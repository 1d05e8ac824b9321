"""Train the classifier of generic candidates and write its weights as plain data.

Usage: python bench/accuracy/train.py LINES.jsonl.gz

The same data, seed and scikit-learn give the same file, bit for bit. One repository in
four is held out and only looked at. Thresholds are chosen on scores that each
repository got from trees that never saw it. The trees that are written learn from all the data
(with --hold-out: not from what is held out) under the thresholds chosen so.
"""

import argparse
import hashlib
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from unittest.mock import patch

import numpy as np
from msgspec import structs
from sklearn.ensemble import GradientBoostingClassifier

sys.path.insert(0, str(Path(__file__).parent))

from lines import Line, path_of, read

from scanner import classify
from scanner.batch import batch_of
from scanner.candidate import Candidate
from scanner.engine import Engine, engine_of
from scanner.features import NAMES, features, forget
from scanner.place import NOWHERE, place_of
from scanner.refusal import refused
from scanner.rules import load_rules
from scanner.trees import WEIGHTS, parsed

SEED = 20250301
TREES, DEPTH, RATE, LEAST, SAMPLE = 80, 4, 0.15, 25, 0.7
MEDIUM, HIGH = 0.95, 0.975
"""Precision on unseen repositories from which a candidate is of medium and of high confidence."""
OTHERS = 1.5
"""How many false candidates stand for one: whole files hold more of them than labelled lines."""
KEPT = 0.995
"""Share of the true candidates of low confidence that survive without a path."""
REWORDED = 0.5
"""Share of the true values for which a copy with words for letters is trained on as well."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A candidate with its label."""

    line: Line
    candidate: Candidate
    true: bool
    weight: float = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", type=Path)
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--hold-out", action="store_true", help="leave one repository in four out")
    arguments = parser.parse_args()
    lines = read(arguments.lines)
    samples = list(collected(lines))
    report(lines, samples)
    seen = [s for s in samples if not s.line.held_out]
    raw = {"data": hashlib.sha256(arguments.lines.read_bytes()).hexdigest(), "seed": SEED}
    raw |= thresholds(seen)
    raw |= exported(fit(seen))
    held = [s for s in samples if s.line.held_out]
    show("held out", raw, held)
    show("held out, words for letters", raw, [reworded(s) if s.true else s for s in held])
    cost(raw, held)
    if not arguments.hold_out:
        raw |= exported(fit(samples))
    write(raw, arguments.output)


def collected(lines: Iterable[Line]) -> Iterator[Sample]:
    """Yield every candidate that the rules see in the lines, with its label."""
    with patch("scanner.judging.possible", kept):
        engine = engine_of(load_rules())
        for line in lines:
            yield from of_line(line, engine)


def kept(candidate: Candidate, **_: bool) -> classify.Score | None:
    return None if refused(candidate) else classify.Score(None, 1.0)


def of_line(line: Line, engine: Engine) -> Iterator[Sample]:
    """Yield the candidates of a line; on a true line those beside the value tell nothing."""
    text = line.text.encode()
    matches = engine.searcher().search(batch_of(text, b""))
    start = len(line.text[: line.value_start].encode()) if line.value_start >= 0 else -1
    end = len(line.text[: line.value_end].encode()) if line.value_start >= 0 else -1
    for match in matches:
        if match.candidate is None:
            continue
        over = match.start < end and match.end > start
        if line.true and not over and start >= 0:
            continue
        yield Sample(line, match.candidate, line.true)


def report(lines: list[Line], samples: list[Sample]) -> None:
    seen = {s.line.number for s in samples}
    true = [line for line in lines if line.true]
    print(f"{len(samples)} candidates, {sum(s.true for s in samples)} true")
    print(f"candidates on {sum(line.number in seen for line in true)} of {len(true)} true lines")


def weighted(samples: list[Sample]) -> list[float]:
    """Let no repository speak louder than the square root of what it has to say."""
    count = Counter((s.line.repo, s.true) for s in samples)
    return [count[s.line.repo, s.true] ** -0.4 for s in samples]


def fit(samples: list[Sample]) -> GradientBoostingClassifier:
    """Fit trees to samples, to copies of true ones in words, and to copies without a path."""
    chance = random.Random(SEED)
    whole = list(samples)
    weights = weighted(whole)
    for sample, weight in zip(samples, list(weights), strict=True):
        if sample.true and chance.random() < REWORDED:
            whole.append(reworded(sample))
            weights.append(weight)
    rows = [features(s.candidate, place_of(path_of(s.line))) for s in whole]
    labels = [s.true for s in whole]
    pathless = [at for at in range(len(whole)) if chance.random() < 0.3]
    rows += [features(whole[at].candidate, NOWHERE) for at in pathless]
    labels += [labels[at] for at in pathless]
    weights += [weights[at] * 0.5 for at in pathless]
    trees = GradientBoostingClassifier(
        n_estimators=TREES, max_depth=DEPTH, learning_rate=RATE, min_samples_leaf=LEAST,
        subsample=SAMPLE, max_features=0.3, random_state=SEED,
    )  # fmt: skip
    return trees.fit(np.array(rows, dtype=float), np.array(labels), sample_weight=np.array(weights))


def reworded(sample: Sample) -> Sample:
    """Put words in place of the letters of a value: what people choose is seldom drawn by lot."""
    chance = random.Random(f"{SEED}:{sample.line.number}")
    value = sample.candidate.value
    if sample.candidate.kind in ("uuid", "seed", "header") or len(value) > 24:
        return sample
    done, at = [], 0
    while at < len(value):
        end = at
        while end < len(value) and value[end].isascii() and value[end].isalpha():
            end += 1
        if end - at >= 3:
            word = "".join(chance.choice(_BY_LENGTH[size]) for size in _lengths(end - at, chance))
            done.append(_cased(word, value[at:end]))
        else:
            done.append(value[at : max(end, at + 1)])
        at = max(end, at + 1)
    reworded_one = structs.replace(sample.candidate, value="".join(done))
    return replace(sample, candidate=reworded_one)


def _lengths(size: int, chance: random.Random) -> list[int]:
    sizes = []
    while size > 8:
        part = chance.randint(4, 6)
        sizes.append(part)
        size -= part
    return [*sizes, size] if size >= 3 else [*sizes[:-1], sizes[-1] + size]


def _cased(word: str, like: str) -> str:
    if like.isupper():
        return word.upper()
    return word[0].upper() + word[1:] if like[0].isupper() else word


# Words that people make passwords of: animals, seasons, places, things, names.
_WORDS = """cat dog sun sky sea ice red fox bee owl joe ann tom max leo mia eva ivy ray kim lee bob sam
blue moon star gold lion bear wolf fish bird rose lily ruby jade king duke lord hero rock fire wind
rain snow lake june july mary john paul anna lisa mike dave jack luke adam eric emma lucy nina
tiger eagle horse zebra panda koala shark whale apple lemon mango peach grape berry bread sugar
honey maple cedar river ocean beach cloud storm night light laser radio piano guitar metal james
peter david chris kevin brian jason maria laura sarah julia linda paris tokyo texas italy spain
dragon monkey turtle rabbit falcon pigeon winter summer spring autumn orange banana cherry tomato
pepper coffee cookie butter cheese pickle silver purple yellow london berlin sydney boston dallas
george thomas robert daniel andrew joseph angela monica hunter ranger knight wizard rocket planet
galaxy castle bridge garden flower forest desert island basket hockey tennis soccer guitar
dolphin chicken penguin giraffe leopard panther gorilla phoenix unicorn october january weekend
sunrise sunset rainbow thunder volcano diamond crystal emerald captain general soldier pirates
warrior michael jessica charlie richard william anthony patrick england ireland germany florida
chicago houston toronto football baseball elephant kangaroo starfish scorpion hercules superman
mountain sunshine midnight princess charlotte""".split()
_BY_LENGTH: dict[int, list[str]] = defaultdict(list)
for _word in _WORDS:
    _BY_LENGTH[len(_word)].append(_word)


def exported(fitted: GradientBoostingClassifier) -> dict[str, object]:
    """Write trees as lists; at a leaf the threshold is its weight, the rate multiplied in."""
    prior = float(fitted.init_.class_prior_[1])
    trees = []
    for (regressor,) in fitted.estimators_:
        tree = regressor.tree_
        leaf = tree.children_left < 0
        trees.append(
            {
                "feature": [
                    -1 if end else int(f) for f, end in zip(tree.feature, leaf, strict=True)
                ],
                "threshold": [
                    round(float(v[0][0]) * RATE, 5) if end else round(float(t), 5)
                    for t, v, end in zip(tree.threshold, tree.value, leaf, strict=True)
                ],
                "left": [int(n) for n in tree.children_left],
                "right": [int(n) for n in tree.children_right],
            }
        )
    return {"features": list(NAMES), "base": round(log(prior / (1 - prior)), 6), "trees": trees}


def scores(raw: dict[str, object], samples: list[Sample]) -> list[float]:
    model = parsed(raw)
    return [model.probability(features(s.candidate, place_of(path_of(s.line)))) for s in samples]


def by_line(samples: list[Sample], values: list[float]) -> list[tuple[float, bool]]:
    best: dict[int, tuple[float, bool]] = {}
    for sample, value in zip(samples, values, strict=True):
        before = best.get(sample.line.number, (0.0, False))
        best[sample.line.number] = max(before, (value, sample.true))
    return sorted(best.values(), reverse=True)


def unseen(samples: list[Sample]) -> tuple[list[Sample], list[float], list[float]]:
    """Score every sample, at its path and without one, by trees that never saw its repository."""
    scored, placed, unplaced = [], [], []
    for fold in range(FOLDS):
        out = [s for s in samples if s.line.repo // 4 % FOLDS == fold]
        raw = exported(fit([s for s in samples if s.line.repo // 4 % FOLDS != fold])) | _OPEN
        model = parsed(raw)
        scored += out
        placed += scores(raw, out)
        unplaced += [model.probability(features(s.candidate, NOWHERE)) for s in out]
    return scored, placed, unplaced


FOLDS = 4
_OPEN: dict[str, object] = {"possible": 0.0, "levels": {"low": 0.0, "medium": 0.0, "high": 0.0}}


def thresholds(samples: list[Sample]) -> dict[str, object]:
    """Choose low for the best F1, medium and high for their precision, each repository unseen."""
    scored, placed, unplaced = unseen(samples)
    ranked = by_line(scored, placed)
    total = sum(true for _, true in ranked)
    low, medium, high, best, right = 0.5, 0.9, 0.97, 0.0, 0
    for count, (score, true) in enumerate(ranked, 1):
        right += true
        wrong = count - right
        f1 = 2 * right / (right + OTHERS * wrong + total)
        if right / count >= HIGH:
            high = score
        if right / count >= MEDIUM:
            medium = score
        if f1 > best:
            best, low = f1, score
    kept = sorted(
        loose
        for sample, score, loose in zip(scored, placed, unplaced, strict=True)
        if sample.true and score >= low
    )
    possible = min(kept[int(len(kept) * (1 - KEPT))], low / 2)
    levels = {"low": round(min(low, medium), 3), "medium": round(medium, 3), "high": round(high, 3)}
    return {"levels": levels, "possible": round(possible, 3)}


def show(name: str, raw: dict[str, object], samples: list[Sample]) -> None:
    ranked = by_line(samples, scores(raw, samples))
    total = sum(true for _, true in ranked)
    print(f"{name}: {len(ranked)} lines with candidates, {total} true")
    for level, least in raw["levels"].items():  # type: ignore[attr-defined]
        shown = [true for score, true in ranked if score >= least]
        right = sum(shown)
        print(
            f"  {level:7s}{least:6.3f}  precision {right / max(1, len(shown)):.3f}  recall {right / total:.3f}"
        )


def cost(raw: dict[str, object], samples: list[Sample]) -> None:
    """Say what a candidate costs that was not seen before."""
    model = parsed(raw)
    forget()
    begun = time.process_time()
    for sample in samples:
        model.probability(features(sample.candidate, place_of(path_of(sample.line))))
    spent = (time.process_time() - begun) / len(samples) * 1e6
    print(f"{spent:.0f} microseconds of CPU a candidate, features and {len(model.trees)} trees")


def write(raw: dict[str, object], path: Path) -> None:
    """Write the weights so that a person can read them and git can compare them: a tree a line."""
    head = {key: value for key, value in raw.items() if key != "trees"}
    rows = ",\n".join(json.dumps(tree, separators=(",", ":")) for tree in raw["trees"])  # type: ignore[attr-defined]
    text = json.dumps(head, indent=1)[:-2] + ',\n "trees": [\n' + rows + "\n]}\n"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
