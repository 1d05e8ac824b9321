"""`keywatch rules`: see the rules, prove them, try them on a file."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import Group, console, json_option, print_json, print_table
from vocabulary.errors import ExitCode

if TYPE_CHECKING:
    from scanner.match import Match
    from scanner.rules import Rule, RuleSet

_COSTLIEST = 10
_ROOM_FOR_TAGS = 100
"""Columns of a terminal below which tags are left out of the list: `show` has them."""
_PREFIX = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_STANDARD_TEXT = 1 << 20


def _loaded(files: tuple[Path, ...]) -> "RuleSet":
    from scanner.rules import load_rules

    return load_rules(files)


@click.group("rules", cls=Group)
def command() -> None:
    """See the rules, prove them, try them on a file."""


@command.command("list")
@click.option("--provider", metavar="NAME", help="Only the rules of this provider.")
@click.option("--tag", metavar="NAME", help="Only the rules with this tag, such as cloud.")
@json_option
def list_rules(provider: str | None, tag: str | None, as_json: bool) -> None:
    """List the rules."""
    import msgspec

    rules = [
        rule
        for rule in _loaded(()).rules
        if provider in (None, rule.provider) and (tag is None or tag in rule.tags)
    ]
    if as_json:
        print_json(msgspec.to_builtins(rules))
        return
    columns = ["rule", "name", "severity", "confidence"]
    columns += ["tags"] if console().width >= _ROOM_FOR_TAGS else []
    rows = [(r.id, r.name, r.severity, r.confidence, " ".join(r.tags)) for r in rules]
    print_table(columns, [row[: len(columns)] for row in rows])
    providers = len({rule.provider for rule in rules})
    click.echo(f"{len(rules)} rules of {providers} providers", err=True)


@command.command()
@click.argument("rule_id", metavar="ID")
@json_option
def show(rule_id: str, as_json: bool) -> None:
    """Show one rule, with examples made up on the spot."""
    import msgspec

    from scanner.rulecheck import examples

    rule = _loaded(()).find(rule_id)
    if as_json:
        print_json(msgspec.to_builtins(rule))
        return
    for field, value in _fields(rule):
        click.echo(f"{field:<12} {value}")
    click.echo("examples")
    for example in examples(rule):
        click.echo(f"  {json.dumps(example)[1:-1]}")


def _fields(rule: "Rule") -> list[tuple[str, str]]:
    fields: dict[str, Any] = {
        name: getattr(rule, name)
        for name in rule.__struct_fields__
        if name not in ("examples", "negatives", "window")
    }
    return [
        (name, "  ".join(value) if isinstance(value, tuple) else str(value))
        for name, value in fields.items()
        if value
    ]


@command.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--no-cost", is_flag=True, help="Do not measure what each rule costs.")
@click.option("--complete", is_flag=True, help="Rules of a file must have all that ours have.")
@json_option
def check(files: tuple[Path, ...], no_cost: bool, complete: bool, as_json: bool) -> int:
    """Prove every rule, or those of the given files beside the shipped ones.

    Every example must be found as its own rule, no counter-example may be found, no pattern may
    run away, every keyword must stand in the pattern or an example. Exits with 1 when something
    is wrong.
    """
    from scanner.engine import engine_of
    from scanner.rule import parse_file
    from scanner.rulecheck import problems

    ruleset = _loaded(files)
    named = {r.id for file in files for r in parse_file(file.read_text("utf-8"), str(file)).rule}
    rules = [rule for rule in ruleset.rules if not files or rule.id in named]
    found = list(problems(rules, engine_of(ruleset), complete=complete or not files))
    costs = [] if no_cost else _costs(rules)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins({"rules": len(rules), "problems": found, "costs": costs}))
    else:
        for problem in found:
            click.echo(f"{problem.rule}: {problem.what}")
        if costs:
            click.echo(f"The {_COSTLIEST} costliest on a megabyte of code (all: --json):")
            rows = [(c.rule, f"{c.ms_per_mb:.2f}", c.hits) for c in costs[:_COSTLIEST]]
            print_table(("rule", "ms", "hits"), rows)
        examples = sum(len(rule.examples) + len(rule.negatives) for rule in rules)
        click.echo(f"{len(rules)} rules, {examples} examples, {len(found)} problems")
    return ExitCode.FINDINGS if found else ExitCode.OK


def _costs(rules: "list[Rule]") -> list[Any]:
    import time

    from scanner.rulecost import cost, standard_text

    words = sorted({word for rule in rules for word in rule.keywords if word.isalpha()})
    text = standard_text(_STANDARD_TEXT, words)
    measured = [cost(rule, text, time.process_time) for rule in rules]
    return sorted(measured, key=lambda one: one.ms_per_mb, reverse=True)


@command.command("test")
@click.argument("file", type=click.File("rb"))
@click.option("--rule", "rule_id", metavar="ID", help="Say of this rule what it did and why.")
@click.option("--rules", "extra", multiple=True, type=click.Path(path_type=Path), metavar="FILE")
@json_option
def try_rules(file: Any, rule_id: str | None, extra: tuple[Path, ...], as_json: bool) -> int:  # noqa: ANN401
    """Try the rules on FILE (`-`: standard input) and say what each finds."""
    from scanner.engine import engine_of

    ruleset = _loaded(extra)
    engine, text = engine_of(ruleset), file.read()
    found = engine.search(text, getattr(file, "name", ""))
    if rule_id:
        from scanner.rulecheck import explained

        for line in explained(ruleset.find(rule_id), text, found):
            click.echo(line)
        found = [match for match in found if match.rule.id == rule_id]
    _print_matches(found, as_json=as_json)
    return ExitCode.FINDINGS if found else ExitCode.OK


@command.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--output", type=click.Path(path_type=Path), help="Write there, not to stdout.")
@click.option("--prefix", default="imported", show_default=True, help="Begins ids of the rules.")
@json_option
def take_over(files: tuple[Path, ...], output: Path | None, prefix: str, as_json: bool) -> int:
    """Take over rules of gitleaks or betterleaks (TOML), Kingfisher or Nosey Parker (YAML).

    Writes a rule file for [scan] rules of the configuration. What could not be carried over is
    said on stderr; exits with 3 when a rule was left out.
    """
    from scanner.baseline import replace
    from scanner.foreignrules import read
    from scanner.foreignrules.written import toml
    from vocabulary.errors import UsageError

    if not _PREFIX.fullmatch(prefix):
        raise UsageError(f"`{prefix}` cannot begin the id of a rule", remedy="such as acme")
    imported = read(files, prefix)
    text = toml(imported, prefix)
    if output is not None:
        replace(output, text)
    elif not as_json:
        click.echo(text, nl=False)
    lost = [loss for loss in imported.losses if loss.whole]
    if as_json:
        import msgspec

        stated = {"rules": [rule.id for rule in imported.rules], "losses": imported.losses}
        print_json(msgspec.to_builtins(stated))
    for loss in () if as_json else imported.losses:
        left = "left out: " if loss.whole else ""
        click.echo(f"{loss.rule or 'all rules'}: {left}{loss.what}", err=True)
    click.echo(
        f"{len(imported.rules)} rules taken over, {len(lost)} left out,"
        f" {len(imported.losses) - len(lost)} other differences",
        err=True,
    )
    return ExitCode.INCOMPLETE if lost else ExitCode.OK


def _print_matches(found: "list[Match]", *, as_json: bool) -> None:
    rows = [
        {
            "line": match.line,
            "column": match.column,
            "rule": match.rule.id,
            "confidence": str(match.confidence),
            "checksum": match.checksum,
            "reasons": list(match.reasons),
        }
        for match in sorted(found, key=lambda match: (match.line, match.column))
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            ("line", "column", "rule", "confidence", "why"),
            [(r["line"], r["column"], r["rule"], r["confidence"], _why(r)) for r in rows],
        )
    else:
        click.echo("no rule finds anything")


def _why(row: dict[str, Any]) -> str:
    return "; ".join(row["reasons"])
