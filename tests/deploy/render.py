"""Renders charts and judges them; run by the Python of the tools' environment.

Standard input: {"chart": folder, "cases": {name: values, …}, "versions": [of Kubernetes, …]}.
Standard output: {name: {"error": …, "notes": …, "objects": […], "faults": […]}, …}; faults are what
Helm's linter and the schemas of Kubernetes find wrong.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import helm_python
import kubernetes_validate
import yaml


def judged(chart: str, values: dict[str, Any], versions: list[str]) -> dict[str, Any]:
    """Return what becomes of a chart with some values."""
    try:
        with helm_python.Chart.load(chart) as loaded:
            # merged first: rendering alone holds nothing to the chart's schema
            loaded.validate_schema(loaded.merge_values(values))
            files = loaded.render(values, name="prod", namespace="guard")
    except helm_python.HelmError as error:
        return {"error": str(error), "notes": "", "objects": [], "faults": []}
    notes = "".join(text for name, text in files.items() if name.endswith("NOTES.txt"))
    told = [text for name, text in files.items() if name.endswith(".yaml")]
    objects = [one for text in told for one in yaml.safe_load_all(text) if one]
    faults = [*linted(chart, values), *invalid(objects, versions)]
    return {"error": "", "notes": notes, "objects": objects, "faults": faults}


def linted(chart: str, values: dict[str, Any]) -> Iterator[str]:
    """Yield what Helm's linter warns of."""
    report = helm_python.lint(chart, values, strict=True)
    warning = 2
    for one in report["messages"]:
        if one["severity"] >= warning:
            yield f"{one['path']}: {one['error']}"


def invalid(objects: list[dict[str, Any]], versions: list[str]) -> Iterator[str]:
    """Yield where objects are not what Kubernetes takes."""
    for version in versions:
        for one in objects:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{one['kind']} {one['metadata']['name']}, {version}: {error}"


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    print(
        json.dumps(
            {
                name: judged(asked["chart"], values, asked["versions"])
                for name, values in asked["cases"].items()
            }
        )
    )
