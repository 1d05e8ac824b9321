"""The OpenAPI 3.1 document, made from the operations and their structs."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from keywatch.api.operation import Operation
from keywatch.api.problems import PROBLEMS, Problem

_TEMPLATE = "#/components/schemas/{name}"


def document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """Return the document of these operations."""
    types: list[Any] = [Problem]
    for one in operations:
        types += [one.answer, one.query, *([one.body] if one.body else [])]
    shapes, components = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    shape_of = dict(zip(map(str, types), shapes, strict=True))
    paths: dict[str, Any] = {}
    for one in operations:
        shown = _operation(one, shape_of, components)
        paths.setdefault(one.path, {})[one.method.lower()] = shown
    for one in operations:
        components.pop(one.query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "keywatch",
            "version": own_version(),
            "summary": "Leaked and stolen API keys: what was noticed, what was done.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `keywatch tokens create`.",
                }
            },
        },
    }


def _operation(
    one: Operation, shape_of: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    scope = f" Needs the scope `{one.scope}`." if one.scope else ""
    refusals = {status: _refusal(name) for status, name in PROBLEMS.items()}
    if "{id}" not in one.path:
        del refusals[404]
    if one.method == "GET":
        del refusals[409], refusals[413]
    shown: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"{one.summary}{scope}",
        "parameters": [*_path(one), *_query(one, shape_of, components)],
        "responses": {
            "200": {"description": "Done.", "content": _json(shape_of[str(one.answer)])},
            **{str(status): refusal for status, refusal in refusals.items()},
        },
    }
    if one.body:
        # whoever has nothing to say may send nothing
        must = bool(components[one.body.__name__].get("required"))
        shown["requestBody"] = {"required": must, "content": _json(shape_of[str(one.body)])}
    return shown


def _path(one: Operation) -> list[dict[str, Any]]:
    if "{id}" not in one.path:
        return []
    shape = {"type": "string", "minLength": 1, "maxLength": 256}
    return [{"name": "id", "in": "path", "required": True, "schema": shape}]


def _query(
    one: Operation, shape_of: dict[str, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    name = str(shape_of[str(one.query)]["$ref"]).rpartition("/")[2]
    properties = components[name].get("properties", {})
    return [
        {"name": field, "in": "query", "required": False, "schema": shape}
        for field, shape in properties.items()
    ]


def _json(shape: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": shape}}


def _refusal(name: str) -> dict[str, Any]:
    return {"description": name, "content": _json({"$ref": _TEMPLATE.format(name="Problem")})}


def own_version() -> str:
    """Return the version that is installed; 0 where nothing is."""
    try:
        return version("keywatch")
    except PackageNotFoundError:
        return "0"
