"""Change the code in small ways, and see whether the tests notice.

    python bench/mutants.py [checksum policy guards outbox limits fuse] [--show]
                            [--sample 40 [--seed 1]]

Each module is changed by mutmut, one change at a time, in a copy of the project, and the tests
named beside it are run. What survives is listed, with --show as a diff: look at it, and write the
test that is missing, or see that the change means the same. mutmut is installed into a virtual
environment of its own below build/, beside the packages that are there.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "build" / "mutants"
MUTMUT = "mutmut==3.8.1"
MODULES = {
    "checksum": ("scanner/checksum.py", ["tests/rules/test_checksum.py"]),
    "policy": (
        "actions/policy.py",
        ["tests/actions/test_policy.py", "tests/actions/test_decide.py"],
    ),
    "guards": (
        "actions/guards.py",
        [
            "tests/actions/test_guarded.py",
            "tests/actions/test_decide.py",
            "tests/actions/test_unregistered.py",
        ],
    ),
    "outbox": (
        "actions/outbox.py",
        ["tests/actions/test_outbox.py", "tests/actions/test_executor.py"],
    ),
    "limits": ("gateway/limits.py", ["tests/gateway/test_limits.py"]),
    "fuse": (
        "detectors/fuse.py",
        [
            "tests/detectors/test_severities.py",
            "tests/detectors/test_contract.py",
            "tests/detectors/test_story.py",
        ],
    ),
}
ROOMS = (
    "actions database detectors gateway keystore keywatch rules scanner streams vocabulary".split()
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--show", action="store_true", help="show what survived as diffs")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="only N of a module")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    wanted = parser.parse_args()
    python = environment()
    print("| module | changes | noticed | survived |\n|---|---|---|---|")
    for name in wanted.modules or MODULES:
        with tempfile.TemporaryDirectory() as folder:
            mutated(name, Path(folder), python, wanted)
    return 0


def environment() -> str:
    """Return the interpreter of an environment that has mutmut beside the project's packages."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", PLACE], check=True)
        ours = next(Path(sys.prefix).glob("lib/python*/site-packages"))
        theirs = next(PLACE.glob("lib/python*/site-packages"))
        (theirs / "beside.pth").write_text(f"{ours}\n")
        subprocess.run([python, "-m", "pip", "install", "--quiet", MUTMUT], check=True)
    return str(python)


def mutated(name: str, folder: Path, python: str, wanted: argparse.Namespace) -> None:
    """Try every change of one module; print what became of them."""
    module, tests = MODULES[name]
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for file in listed.stdout.splitlines():
        if (ROOT / file).is_file() and not file.startswith(("docs/", "bench/")):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    with (folder / "pyproject.toml").open("a") as config:
        config.write(
            f"\n[tool.mutmut]\nsource_paths = {[module]}\n"
            f"pytest_add_cli_args_test_selection = {tests}\n"
            f"also_copy = {[*ROOMS, 'tests']}\n"
        )

    def mutmut(*words: str) -> str:
        command = [python, "-m", "mutmut", *words]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False
        ).stdout

    chosen: list[str] = []
    if wanted.sample:
        mutmut("run", "none.of.them")  # writes all of them down, and tries none
        every = re.findall(r"^\s*(\S+): ", mutmut("results", "--all", "true"), re.MULTILINE)
        chosen = random.Random(wanted.seed).sample(every, min(wanted.sample, len(every)))
    told = mutmut("run", "--max-children", "2", *chosen)
    counts = re.findall(r"(\d+)/(\d+)  🎉 (\d+)", told)
    survived = re.findall(r"^\s*(\S+): survived$", mutmut("results"), re.MULTILINE)
    _, total, noticed = counts[-1] if counts else ("0", "0", "0")
    print(f"| {name} | {total} | {noticed} | {len(survived)} |", flush=True)
    if not counts:
        print(told[-2000:], file=sys.stderr)
    for one in survived:
        diff = re.findall(r"^[-+] .*$", mutmut("show", one), re.MULTILINE) if wanted.show else []
        print("\n".join([f"  {one}", *diff]), flush=True)


if __name__ == "__main__":
    sys.exit(main())
