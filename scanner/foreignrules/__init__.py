"""Rules of other scanners, taken over: what came along, and what could not.

gitleaks and betterleaks (TOML), Kingfisher and Nosey Parker (YAML). Nothing is dropped in silence:
what has no counterpart here is named as a loss.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scanner.allow import Allow
from scanner.baseline import text_of
from scanner.rule import Rule
from vocabulary.errors import ConfigError

PREFIX = "imported"
_CONFIDENCES = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be carried over.

    Attributes:
        rule: its id at home; empty for what belongs to the file.
        what: what is missing, or is read otherwise.
        whole: whether the rule as a whole was left out.
    """

    rule: str
    what: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file."""

    rules: tuple[Rule, ...] = ()
    allows: tuple[Allow, ...] = ()
    losses: tuple[Loss, ...] = ()


def read(files: Iterable[Path], prefix: str = PREFIX) -> Imported:
    """Take over the rules of some files.

    Args:
        files: TOML or YAML; directories stand for the files of these kinds in them.
        prefix: begins the ids of the rules, so that none takes the place of one of ours.

    Raises:
        ConfigError: a file cannot be read, or is of no known form.
    """
    parts = [_read(file, prefix) for place in files for file in _files(place)]
    return _unique(
        Imported(
            tuple(rule for part in parts for rule in part.rules),
            tuple(dict.fromkeys(allow for part in parts for allow in part.allows)),
            tuple(loss for part in parts for loss in part.losses),
        )
    )


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    found = sorted(f for f in place.rglob("*") if f.suffix in (".toml", ".yml", ".yaml"))
    if not found:
        raise ConfigError("no TOML or YAML file in this directory", where=str(place))
    yield from found


def _read(file: Path, prefix: str) -> Imported:
    from scanner.foreignrules import gitleaks, yamlrules  # noqa: PLC0415  (they import this)

    try:
        if file.suffix in (".yml", ".yaml"):
            return yamlrules.read(text_of(file), str(file), prefix)
        return gitleaks.read(file, prefix)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise ConfigError(
            f"an entry is of another type than the format says: {error}",
            where=str(file),
            remedy="have the tool that it is for check it",
        ) from None


def _unique(imported: Imported) -> Imported:
    """Drop later rules of an id; two rules of one id would make a file that cannot be loaded."""
    rules: dict[str, Rule] = {}
    losses = list(imported.losses)
    for rule in imported.rules:
        if rule.id in rules:
            losses.append(Loss(rule.id, "a second rule of this id", whole=True))
        else:
            rules[rule.id] = rule
    return Imported(tuple(rules.values()), imported.allows, tuple(losses))


def slug(name: str, prefix: str) -> str:
    """Return the id that a rule gets."""
    return f"{prefix}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'rule'}"


def confidence_of(word: object) -> str:
    """Return one of our levels; medium for what says nothing."""
    said = str(word or "").lower()
    return said if said in _CONFIDENCES else "medium"
