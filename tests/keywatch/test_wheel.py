"""The wheel: everything is in it, and it works away from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from keywatch.__main__ import ROOMS

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built and installed into a folder of its own; dependencies are the tests'."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed, *words):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("KEYWATCH_")}
    return subprocess.run(
        [sys.executable, "-m", "keywatch", *words],
        cwd=installed.parent,
        env=environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_every_room_and_all_data_are_in_the_wheel(installed):
    for room in ROOMS:
        ours = {p.relative_to(ROOT) for p in (ROOT / room).rglob("*") if p.is_file()}
        ours = {p for p in ours if "__pycache__" not in p.parts}
        missing = {p for p in ours if not (installed / p).exists()}
        assert not missing
    packages = {p.name for p in installed.iterdir() if p.suffix not in (".dist-info", ".data")}
    assert packages == set(ROOMS)
    assert list(installed.glob("*.data/data/share/man/man1/keywatch.1"))


def test_it_runs_away_from_the_checkout(installed):
    where = "import keywatch, scanner.rules; print(keywatch.__file__, scanner.rules.BUILTIN)"
    done = subprocess.run(
        [sys.executable, "-c", where],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count(str(installed)) == 2
    url = f"sqlite:///{installed.parent}/k.db"
    assert run(installed, "--database", url, "keys", "create", "--owner", "a").returncode == 0
    clean = installed.parent / "clean.txt"
    clean.write_text("nothing to see\n")
    done = run(installed, "scan", str(clean))
    assert done.returncode == 0, done.stderr
    assert "rules in" in done.stderr
