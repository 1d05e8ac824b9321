"""The reference of what programs read: rules, JSON, the API, metrics; see reference.py."""

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any


def rules() -> Iterator[str]:
    """Yield the catalogue of rules."""
    from scanner.rules import load_rules

    known = sorted(load_rules(()).rules, key=lambda rule: (rule.provider, rule.id))
    providers = len({rule.provider for rule in known})
    yield f"# Rules\n\n{len(known)} rules of {providers} providers. `keywatch rules show ID` tells"
    yield "all of one, with examples made up on the spot.\n"
    for provider, its in groupby(known, key=lambda rule: rule.provider):
        yield f"## {provider}\n"
        yield "| rule | what it is | severity | confidence | checksum |\n|---|---|---|---|---|"
        for rule in its:
            cells = (_cell(rule.name), rule.severity, rule.confidence, rule.checksum or "–")  # noqa: RUF001
            yield f"| `{rule.id}` | {' | '.join(cells)} |"
        yield ""


def schemas() -> Iterator[str]:
    """Yield what programs read, as JSON Schema made from the structs that are written."""
    import msgspec

    from keywatch.desk import contract
    from scanner.receipt import Receipt
    from vocabulary.alert import Alert
    from vocabulary.finding import Finding
    from vocabulary.repository import RepoEvent

    yield "# JSON\n\nFields are a contract: they change with a line in the changelog alone.\n"
    for title, about, struct, hidden in (
        ("Finding", "`keywatch scan --format jsonl`: one a line.", Finding, ("credential",)),
        ("Receipt", "`keywatch scan --receipt FILE`.", Receipt, ()),
        ("Alert", "`keywatch watch`, `replay --alerts`: one a line.", Alert, ()),
        ("Repository event", 'of a Kafka topic with `events = "repository"`.', RepoEvent, ()),
        ("Incident", "`keywatch incidents show --json`, `GET /api/v1/incidents/{id}`.",
         contract.IncidentDetail, ()),
        ("Key", "`keywatch keys show --json`, `GET /api/v1/keys/{id}`.", contract.Key, ()),
    ):  # fmt: skip
        yield f"## {title}\n\n{about}\n\n```json"
        yield json.dumps(_without(msgspec.json.schema(struct), hidden), indent=2)
        yield "```\n"


def api() -> Iterator[str]:
    """Yield the operations of the API, from its OpenAPI document."""
    from keywatch.api.openapi import document
    from keywatch.api.operations import OPERATIONS

    told = document(OPERATIONS)
    yield "# API\n\nBelow `/api/v1`; the document is at `/api/v1/openapi.json` of every console.\n"
    yield "| | | |\n|---|---|---|"
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            about = _cell(str(one.get("description") or one.get("summary") or ""))
            yield f"| `{method.upper()}` | `{path}` | {about} |"


def metrics() -> Iterator[str]:
    """Yield every metric, as an empty database and an idle gateway tell them."""
    from database.transaction import open_database, reading
    from gateway.tally import Tally
    from keywatch import metrics

    engine = open_database("sqlite://")
    with reading(engine) as connection:
        told = metrics.text(connection, 0.0)
    engine.dispose()
    told += Tally().text(is_current=True, cached_keys=0)
    yield "# Metrics\n\nIn Prometheus' text format: the pipeline's on the console's `/metrics`, the"
    yield "gateway's on its own where `gateway.metrics` is set.\n"
    yield "| metric | kind | what it is |\n|---|---|---|"
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", told, re.MULTILINE))
    for name, about in re.findall(r"^# HELP (\S+) (.+)$", told, re.MULTILINE):
        yield f"| `{name}` | {kinds[name]} | {_cell(about)} |"


def openapi() -> Iterator[str]:
    """Yield the API's OpenAPI document."""
    from keywatch.api.openapi import document
    from keywatch.api.operations import OPERATIONS

    yield json.dumps(document(OPERATIONS) | {"info": _INFO}, indent=1)


_INFO = {"title": "keywatch", "version": "1", "license": {"name": "Apache-2.0"}}
"""What of the document does not change with every release."""

PAGES = {
    "docs/reference/rules.md": rules,
    "docs/reference/json.md": schemas,
    "docs/reference/api.md": api,
    "docs/reference/openapi.json": openapi,
    "docs/reference/metrics.md": metrics,
}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _without(schema: dict[str, Any], hidden: tuple[str, ...]) -> dict[str, Any]:
    """Leave fields out that no reader is given."""
    top = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    for name in hidden:
        top["properties"].pop(name)
        top["required"].remove(name)
    used = json.dumps(top)
    schema["$defs"] = {
        name: one for name, one in schema["$defs"].items() if one is top or f'/{name}"' in used
    }
    return schema
