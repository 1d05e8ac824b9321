"""What is handed out: the same bytes from everywhere, at home where there is nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from deploy.audit import told
from deploy.licences import closure, is_allowed
from keywatch.__main__ import ROOMS
from tests.keywatch import traffic
from tests.scanner.secrets import github_token

ROOT = Path(__file__).parents[2]
_BETWEEN = pytest.mark.skipif(
    bool(os.environ.get("CI")), reason="NOT TESTED on Python 3.12: it has the packages of 3.13"
)
LOCK = ROOT / "deploy" / "docker" / "requirements.lock"


def run(*words, cwd=ROOT, **environ):
    return subprocess.run(
        [*map(str, words)], cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def build(source, target, **environ):
    done = run(sys.executable, "-m", "hatchling", "build", "-d", target, cwd=source, **environ)
    assert done.returncode == 0, done.stderr
    return {path.name: path for path in target.iterdir()}


def copied(target, *, age_s, mode):
    """Copy what belongs to the project, as another checkout at another time would have it."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).is_file():
            continue
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, path)
        path.chmod(mode | (path.stat().st_mode & 0o100))
        os.utime(path, (path.stat().st_atime - age_s,) * 2)
    return target


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    return build(copied(folder / "a", age_s=0, mode=0o644), folder / "made")


def test_sdist_and_wheel_are_the_same_bytes_from_everywhere(dist, tmp_path):
    other = copied(tmp_path / "elsewhere", age_s=10_000_000, mode=0o600)
    again = build(other, tmp_path / "made", PYTHONHASHSEED="7", TZ="Asia/Tokyo", LC_ALL="C")
    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: path.read_bytes() for name, path in dist.items()
    }


def test_the_sdist_builds_the_same_wheel(dist, tmp_path):
    (sdist,) = [path for name, path in dist.items() if name.endswith(".tar.gz")]
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    made = build(source, tmp_path / "made")
    (wheel,) = [name for name in dist if name.endswith(".whl")]
    assert made[wheel].read_bytes() == dist[wheel].read_bytes()


def installed(python, dist, folder):
    """Make an environment with what the image has: the locked packages, by hash, and the wheel."""
    uv = Path(sys.executable).parent / "uv"
    assert run(uv, "venv", "--quiet", "--python", python, folder).returncode == 0
    options = ["--quiet", "--python", folder, "--only-binary", ":all:"]
    done = run(uv, "pip", "install", *options, "--require-hashes", "-r", LOCK)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"the locked packages cannot be had: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    (wheel,) = [path for name, path in dist.items() if name.endswith(".whl")]
    done = run(uv, "pip", "install", *options, "--no-deps", "--no-index", wheel)
    assert done.returncode == 0, done.stderr
    done = run(uv, "pip", "check", "--python", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def clean(dist, tmp_path_factory):
    return installed(sys.executable, dist, tmp_path_factory.mktemp("clean") / "env")


def interpreter(version):
    """Return a Python of that version that starts; else skip and say so."""
    of_pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}*/bin/python"))
    for path in filter(None, (shutil.which(f"python{version}"), *of_pyenv)):
        asked = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if run(*asked).stdout.strip() == version:
            return path
    return pytest.skip(f"NOT TESTED on Python {version}: there is none on PATH or of pyenv")


@pytest.mark.service
def test_the_wheel_works_where_there_is_nothing_else(clean, tmp_path):
    keywatch = clean / "bin" / "keywatch"
    environ = {"KEYWATCH_DATABASE": f"sqlite:///{tmp_path}/k.db", "PYTHONPATH": ""}

    def said(*words):
        done = run(keywatch, *words, cwd=tmp_path, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert re.fullmatch(r"\d+\.\d+\.\d+\n", said("--version"))
    assert json.loads(said("keys", "create", "--owner", "ann", "--json"))["secret"]
    said("audit", "verify")
    said("users", "add", "ada", "--role", "admin")
    rooms = "; ".join(f"import {room}" for room in ROOMS)
    python = clean / "bin" / "python"
    where = f"{rooms}; import keywatch.console.server, scanner.engine; print(keywatch.__file__)"
    done = run(python, "-c", where, cwd=tmp_path, **environ)
    assert str(clean) in done.stdout, done.stderr
    assert run(python, "-c", "import pytest", cwd=tmp_path, **environ).returncode == 1
    assert (clean / "share" / "man" / "man1" / "keywatch.1").exists()


@pytest.mark.service
@pytest.mark.parametrize("version", [pytest.param("3.12", marks=_BETWEEN), pytest.param("3.13")])
def test_the_wheel_works_on_the_pythons_that_it_names(version, dist, tmp_path):
    assert f"Programming Language :: Python :: {version}" in (ROOT / "pyproject.toml").read_text()
    python = installed(interpreter(version), dist, tmp_path / "env") / "bin" / "python"
    lines = [*traffic.ordinary(2, keys=2, per_hour=4), *traffic.theft(2, count=40)]
    (tmp_path / "access.log").write_text("\n".join(lines) + "\n")
    (tmp_path / "settings.py").write_text(f"TOKEN = '{github_token()}'\n")
    environ = {"KEYWATCH_DATABASE": f"sqlite:///{tmp_path}/k.db", "PYTHONPATH": ""}

    def said(words, code=0):
        command = [python, "-W", "default", "-m", "keywatch", *words.split()]
        done = run(*command, cwd=tmp_path, **environ)
        assert done.returncode == code, done.stderr
        # what a later Python or numpy takes away is told of today; of others' code it is theirs
        warned = [line for line in done.stderr.splitlines() if "Warning: " in line]
        assert not [line for line in warned if re.search(rf"/({'|'.join(ROOMS)})/", line)]
        return json.loads(done.stdout)

    assert said("scan settings.py --format json", code=1)
    replayed = said("replay access.log --format nginx-json --json")
    assert (replayed["events"], replayed["alerts"] > 0) == (len(lines), True)
    assert said("keys create --owner ann --json")["secret"]
    assert said("audit verify --json")


@pytest.mark.service
def test_the_bill_of_materials_names_every_locked_package_and_its_licence(clean, tmp_path):
    made = []
    for name in ("one", "other"):
        cyclonedx = Path(sys.executable).parent / "cyclonedx-py"
        options = "--pyproject pyproject.toml --output-reproducible --no-validate --of JSON -o"
        done = run(cyclonedx, "environment", *options.split(), tmp_path / name, clean)
        assert done.returncode == 0, done.stderr
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    bill = json.loads(made[0])
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "keywatch")
    held = {(one["name"].lower().replace("_", "-"), one["version"]) for one in bill["components"]}
    pins = re.compile(r"^([\w.-]+)==(\S+)([^\\]*)", re.MULTILINE)
    always = {(n, v) for n, v, marker in pins.findall(LOCK.read_text()) if not marker.strip(" ;")}
    assert always
    assert always <= {(name.replace(".", "-"), version) for name, version in held}
    assert [one["name"] for one in bill["components"] if not one.get("licenses")] == []


def test_all_that_comes_with_it_may_be_given_away():
    names = {one.metadata["Name"].lower() for one in closure("keywatch")}
    assert {"sqlalchemy", "hyperscan", "starlette", "psycopg", "redis"} <= names
    assert not {"pytest", "ruff"} & names


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("(Apache-2.0 AND MIT)", True),
        ("MIT AND AGPL-3.0-only", False),
        ("GPL-2.0-only", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_licences_are_read_as_expressions(expression, allowed):
    assert is_allowed(expression) is allowed


def test_the_audit_tells_what_it_found_and_what_it_could_not_ask():
    found = [
        {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]},
        {"name": "b", "version": "1", "vulns": []},
        {"name": "c", "skip_reason": "not there"},
    ]
    assert told("lock", found) == (["lock: a 1: X-1, mended in 2"], 1)
