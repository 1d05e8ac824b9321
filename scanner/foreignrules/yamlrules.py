"""Rules of Kingfisher and Nosey Parker, which share most of one YAML form.

Sources: docs/RULES.md of either project. What asks a provider (`validation`, `revocation` and the
variables that other rules lend to it) is not carried over: nothing here calls out.
"""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from scanner.allow import Allow
from scanner.foreignrules import PREFIX, Imported, Loss, confidence_of, slug
from scanner.foreignrules.dialect import UntranslatableError, bounded
from scanner.rule import Rule
from vocabulary.errors import ConfigError

_yaml: Any = import_module("yaml")
Table = Mapping[str, Any]
_ASKS = ("validation", "revocation", "depends_on_rule", "tls_mode", "prevalidated")
_CLASSES = {
    "min_digits": "0-9",
    "min_uppercase": "A-Z",
    "min_lowercase": "a-z",
    "min_special_chars": "",
}
_LONGEST = 4096  # of a secret whose characters are counted


def read(text: str, where: str, prefix: str = PREFIX) -> Imported:
    """Take over the rules of a file.

    Args:
        text: the YAML; several documents are read one after another.
        where: its name, for errors.
        prefix: begins the ids.

    Raises:
        ConfigError: it is not YAML, or holds no rules of this form.
    """
    try:
        documents = [found for found in _yaml.safe_load_all(text) if found is not None]
    except (_yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"not YAML: {_first_line(error)}", where=where) from None
    rules: list[Rule] = []
    losses: list[Loss] = []
    for table in _tables(documents, where):
        try:
            rules += _rule(table, prefix, losses)
        except UntranslatableError as error:
            losses.append(Loss(str(table["id"]), str(error), whole=True))
    return Imported(tuple(rules), (), tuple(losses))


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _tables(documents: list[Any], where: str) -> Iterator[Table]:
    for document in documents:
        found = document.get("rules") if isinstance(document, dict) else None
        if not isinstance(found, list):
            raise ConfigError("no rules of Kingfisher or Nosey Parker", where=where)
        for number, table in enumerate(found, 1):
            if not (isinstance(table, dict) and table.get("id") and table.get("pattern")):
                raise ConfigError(
                    "a rule needs an id and a pattern", where=f"{where}: rules[{number}]"
                )
            yield table


def _rule(table: Table, prefix: str, losses: list[Loss]) -> Iterator[Rule]:
    name, source = str(table["id"]), str(table["pattern"])
    if table.get("visible") is False:
        losses.append(Loss(name, "is never reported by itself (visible: false)", whole=True))
        return
    pattern, bound = bounded(source, "TOKEN" if re.search(r"\?P?<TOKEN>", source) else None)
    losses += _differences(name, table, pattern, bound)
    yield Rule(
        id=slug(name, prefix),
        provider=prefix,
        name=str(table.get("name") or name),
        description=str(table.get("description") or ""),
        confidence=confidence_of(table.get("confidence")),
        pattern=pattern,
        entropy=float(table.get("min_entropy") or 0),
        references=tuple(map(str, table.get("references") or ())),
        tags=tuple(map(str, table.get("categories") or ())),
        allow=tuple(_requirements(name, table.get("pattern_requirements") or {}, losses)),
    )


def _differences(name: str, table: Table, pattern: str, bound: int) -> Iterator[Loss]:
    if bound:
        yield Loss(name, f"what repeats without bound repeats {bound} times at most")
    for field in _ASKS:
        if table.get(field):
            yield Loss(name, f"`{field}`: nothing here asks a provider")
    missed = [text for text in _texts(table.get("examples")) if not _finds(pattern, text)]
    if missed:
        yield Loss(name, f"{len(missed)} of its examples are no longer found")
    wrong = [text for text in _texts(table.get("negative_examples")) if _finds(pattern, text)]
    if wrong:
        yield Loss(name, f"{len(wrong)} of its negative examples are found")


def _texts(found: Any) -> list[str]:  # noqa: ANN401
    return [str(text) for text in found or () if isinstance(text, str | int | float)]


def _finds(pattern: str, text: str) -> bool:
    return re.search(pattern.encode(), text.encode(), re.MULTILINE) is not None


def _requirements(name: str, asked: Table, losses: list[Loss]) -> Iterator[Allow]:
    """Carry over what a value must hold, turned round: what holds too little is let pass."""
    for field, value in asked.items():
        if field in _CLASSES and int(value) > 0:
            yield Allow(patterns=(_too_few(field, int(value), asked),), reason=field)
        elif field == "ignore_if_contains":
            yield Allow(words=tuple(str(word).lower() for word in value), reason=field)
        elif field not in (*_CLASSES, "special_chars"):
            losses.append(Loss(name, f"pattern_requirements.{field}"))


def _too_few(field: str, least: int, asked: Table) -> str:
    letters = _CLASSES[field] or re.escape(
        str(asked.get("special_chars") or "!@#$%^&*()_+-=[]{}|;:'\",.<>?/\\`~")
    )
    other = f"[^{letters}]{{0,{_LONGEST}}}"
    return rf"\A(?:{other}[{letters}]){{0,{least - 1}}}{other}\Z"
