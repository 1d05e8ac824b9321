"""Rules of gitleaks and betterleaks.

Sources: the README of gitleaks ("Configuration") and docs/config.md of betterleaks, whose filters
are carried over as far as they are lists of conditions; what asks a provider is not.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from scanner.allow import Allow, Near, problem
from scanner.baseline import text_of
from scanner.foreignrules import PREFIX, Imported, Loss, slug
from scanner.foreignrules.dialect import UntranslatableError, bounded
from scanner.foreignrules.filters import Filter, parsed
from scanner.rule import MAX_LINES, Rule
from vocabulary.errors import ConfigError

Table = Mapping[str, Any]
_DEPTH = 2  # as deep as gitleaks follows `extend.path`
_PROGRAMS = ("validate", "tokenEfficiency", "specificity")
_LISTS = ("keywords", "tags", "allowlists", "required")


def read(file: Path, prefix: str = PREFIX) -> Imported:
    """Take over a file.

    Raises:
        ConfigError: it cannot be read or holds no rules of this form.
    """
    losses: list[Loss] = []
    rules, general, default = _extended(file, losses, 0)
    made: list[Rule] = []
    for table in rules.values():
        try:
            made += _rule(table, rules, prefix, losses)
        except UntranslatableError as error:
            losses.append(Loss(str(table.get("id")), str(error), whole=True))
    known = {str(table["id"]): slug(str(table["id"]), prefix) for table in rules.values()}
    allows = [
        allow
        for number, table in enumerate(general, 1)
        for allow in _global(table, number, known, losses, everywhere=default)
    ]
    return Imported(tuple(made), tuple(allows), tuple(losses))


def _parsed(file: Path) -> Table:
    try:
        document = tomllib.loads(text_of(file))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", where=str(file)) from None
    if not any(name in document for name in ("rules", "extend", "allowlist", "allowlists")):
        raise ConfigError(
            "no rules of gitleaks or betterleaks",
            where=str(file),
            remedy="rules of ours need no import: name the file in [scan] rules",
        )
    return document


def _extended(
    file: Path, losses: list[Loss], depth: int
) -> tuple[dict[str, Table], list[Table], bool]:
    """Read a file and what it extends: rules by id, allowlists for all, and whether ours belong."""
    document = _parsed(file)
    extend = document.get("extend") or {}
    rules: dict[str, Table] = {}
    general: list[Table] = []
    losses += _of_file(extend, str(file))
    default = bool(extend.get("useDefault"))
    if (path := extend.get("path")) and depth < _DEPTH:
        rules, general, inner = _extended(_found(file, str(path)), losses, depth + 1)
        default = default or inner
    for lost in extend.get("disabledRules") or ():
        if rules.pop(lost, None) is None:
            what = "is switched off there; name ours of its kind in [scan] disabled"
            losses.append(Loss(str(lost), what))
    for table in _tables(document.get("rules"), str(file)):
        rules[str(table["id"])] = _over(rules.get(str(table["id"])), table)
    return rules, [*general, *_allowlists(document), *_filters(document)], default


def _of_file(extend: Table, where: str) -> Iterator[Loss]:
    if extend.get("url"):
        yield Loss("", f"{where}: extend.url; fetch it and import the file")


def _found(file: Path, path: str) -> Path:
    """Return where an extended file lies: as named, else beside the file that names it."""
    return Path(path) if Path(path).exists() else file.parent / path


def _tables(found: Any, where: str) -> Iterator[Table]:  # noqa: ANN401
    for number, table in enumerate(found or (), 1):
        if not isinstance(table, dict) or not table.get("id"):
            raise ConfigError("a rule needs an id", where=f"{where}: rules[{number}]")
        yield table


def _over(before: Table | None, table: Table) -> Table:
    """Lay a rule over one that it extends: lists grow, all else is replaced."""
    if before is None:
        return table
    merged = {**before, **table}
    for name in _LISTS:
        if name in before and name in table:
            merged[name] = [*before[name], *table[name]]
    return merged


def _allowlists(table: Table) -> list[Table]:
    single = [table["allowlist"]] if table.get("allowlist") else []
    return [*single, *(table.get("allowlists") or ())]


def _filters(document: Table) -> list[Table]:
    """Return the filters for all rules, to be read as the allowlists are."""
    return [{"filter": document[name]} for name in ("prefilter", "filter") if document.get(name)]


def _rule(
    table: Table, rules: Mapping[str, Table], prefix: str, losses: list[Loss]
) -> Iterator[Rule]:
    name = str(table["id"])
    if not table.get("regex"):
        what = "it has no regex: it looks at names of files, or changes a rule that is not here"
        losses.append(Loss(name, what, whole=True))
        return
    if table.get("skipReport"):
        losses.append(Loss(name, "is never reported by itself (skipReport)", whole=True))
        return
    pattern, bound = bounded(str(table["regex"]), int(table.get("secretGroup") or 0) or None)
    if bound:
        losses.append(Loss(name, f"what repeats without bound repeats {bound} times at most"))
    losses += [
        Loss(name, f"`{program}` of betterleaks") for program in _PROGRAMS if table.get(program)
    ]
    dropped = _filter(name, table, losses)
    keywords = tuple(dict.fromkeys(str(word).lower() for word in table.get("keywords") or ()))
    if keywords and not any(word in pattern.lower() for word in keywords):
        losses.append(Loss(name, "its keywords count within a line of a match, not anywhere"))
    yield Rule(
        id=slug(name, prefix),
        provider=prefix,
        name=name,
        description=str(table.get("description") or ""),
        keywords=keywords,
        pattern=pattern,
        entropy=max(float(table.get("entropy") or 0), dropped.entropy),
        tags=tuple(map(str, table.get("tags") or ())),
        path=bounded(str(table["path"]), "")[0] if table.get("path") else "",
        requires=tuple(_required(name, table, rules, losses)),
        allow=(*_allows(name, _allowlists(table), losses), *dropped.allows),
    )


def _filter(name: str, table: Table, losses: list[Loss]) -> Filter:
    if not table.get("filter"):
        return Filter()
    try:
        return parsed(str(table["filter"]))
    except UntranslatableError as error:
        losses.append(Loss(name, f"`filter`: {error}"))
        return Filter()


def _required(
    name: str, table: Table, rules: Mapping[str, Table], losses: list[Loss]
) -> Iterator[Near]:
    for one in table.get("required") or ():
        other = rules.get(str(one.get("id")))
        if other is None or not other.get("regex"):
            raise UntranslatableError(f"requires `{one.get('id')}`, which is not there")
        if one.get("withinColumns") is not None:
            losses.append(Loss(name, "withinColumns; lines are all that counts here"))
        lines = one.get("withinLines")
        if lines is None or lines > MAX_LINES:
            losses.append(Loss(name, f"what it requires must stand within {MAX_LINES} lines"))
        pattern, _ = bounded(str(other["regex"]))
        near = MAX_LINES if lines is None else min(int(lines), MAX_LINES)
        yield Near(pattern=pattern, lines=near)


def _allows(name: str, tables: Sequence[Table], losses: list[Loss]) -> Iterator[Allow]:
    for table in tables:
        made = _allow(name, table, losses)
        wrong = problem(made)
        if made.every and any(table.get(k) and not v for k, v in _parts(made).items()):
            wrong = "a condition of it is lost, and all must hold"
        if wrong:
            losses.append(Loss(name, f"an allowlist: {wrong}"))
        else:
            yield made


def _parts(allow: Allow) -> dict[str, tuple[str, ...]]:
    return {"regexes": allow.patterns, "paths": allow.paths}


def _allow(name: str, table: Table, losses: list[Loss]) -> Allow:
    return Allow(
        target=str(table.get("regexTarget") or "secret"),
        patterns=tuple(_patterns(name, table.get("regexes"), losses)),
        words=tuple(str(word).lower() for word in table.get("stopwords") or ()),
        paths=tuple(_patterns(name, table.get("paths"), losses)),
        commits=tuple(str(commit).lower() for commit in table.get("commits") or ()),
        every=str(table.get("condition") or "").upper() in ("AND", "&&"),
        reason=str(table.get("description") or ""),
    )


def _patterns(name: str, texts: Sequence[object] | None, losses: list[Loss]) -> Iterator[str]:
    """Translate patterns of an allowlist; without one of them less is let pass, never more."""
    for text in texts or ():
        try:
            yield bounded(str(text), "")[0]
        except UntranslatableError as error:
            losses.append(Loss(name, f"`{text}` of an allowlist: {error}"))


def _global(
    table: Table, number: int, known: Mapping[str, str], losses: list[Loss], *, everywhere: bool
) -> Iterator[Allow]:
    """Carry over an allowlist for all rules; those of gitleaks stand for ours if they belong."""
    targets = [str(name) for name in table.get("targetRules") or ()]
    losses += [
        Loss(name, "an allowlist for it; put its kind of ours into `rules`")
        for name in targets
        if name not in known
    ]
    rules = tuple(known[name] for name in targets if name in known)
    if targets and not rules:
        return
    chosen = rules or (("*",) if everywhere else ())
    found = (
        _filter("", table, losses).allows
        if "filter" in table
        else _allows(f"allowlist {number}", [table], losses)
    )
    for allow in found:
        yield replace(allow, rules=chosen)
