"""A package that is not installed is told of by the extra that brings it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from keywatch import extras

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("words", ["serve console", "mcp"])
def test_a_command_without_its_package_says_what_to_install(words, tmp_path):
    start = (
        "import sys; sys.modules['starlette'] = None; from keywatch.__main__ import main; main()"
    )
    url = f"sqlite:///{tmp_path}/k.db"
    done = subprocess.run(
        [sys.executable, "-c", start, "--database", url, *words.split()], cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == ("keywatch: starlette is not installed (install keywatch[console])\n")


def test_every_extra_is_known_by_its_modules():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras._EXTRAS) == set(project["optional-dependencies"])
    assert extras.lacking(ModuleNotFoundError("no", name="msgspec")) == ""
