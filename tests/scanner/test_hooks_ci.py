"""The GitHub Action and the GitLab template run what they say they run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scanner.secrets import github_token

ROOT = Path(__file__).parent.parent.parent
ACTION = ROOT / "deploy/github-action"
TEMPLATE = ROOT / "deploy/gitlab/keywatch.gitlab-ci.yml"
COMMAND = Path(sys.executable).with_name("keywatch")


@pytest.fixture
def act(repo, tmp_path):
    """Run the action's script with its inputs; returns exit code, outputs and summary."""
    yaml = (ACTION / "action.yml").read_text()
    defaults = dict(
        re.findall(
            r'^  ([\w-]+):\n    description: .*\n    default: "?([^"\n]*)', yaml, re.MULTILINE
        )
    )

    def run(**inputs):
        asked = {**defaults, **{name.replace("_", "-"): value for name, value in inputs.items()}}
        environ = {
            "INPUT_" + name.upper().replace("-", "_"): value for name, value in asked.items()
        }
        assert all(name in yaml for name in environ)
        output, summary = tmp_path / "output", tmp_path / "summary"
        done = subprocess.run(
            [shutil.which("bash"), ACTION / "run.sh"],
            cwd=repo.path, capture_output=True, text=True, timeout=120, check=False,
            env={
                **os.environ, **environ, "KEYWATCH": str(COMMAND), "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary), "XDG_CONFIG_HOME": str(tmp_path / "config"),
            },
        )  # fmt: skip
        told = dict(one.split("=", 1) for one in output.read_text().splitlines())
        assert told["exit-code"] == str(done.returncode), done.stderr
        return done.returncode, told, summary.read_text()

    return run


def test_the_action_fails_on_a_secret_and_leaves_its_reports(act, repo):
    repo.commit("a.txt", f"t = '{github_token()}'  # keywatch:allow\n")
    code, told, summary = act()
    assert code == 1
    assert "a.txt:1" in summary
    assert json.loads((repo.path / told["sarif"]).read_text())["runs"][0]["results"]
    assert act(inline_ignores="true")[0] == 0


def test_the_action_scans_only_what_a_pull_request_adds(act, repo):
    repo.commit("a.txt", f"t = '{github_token()}'\n")
    repo.git("tag", "base")
    repo.commit("b.txt", "clean\n")
    assert act(since="base")[0] == 0
    assert act()[0] == 1


def test_an_input_is_never_part_of_a_script(act, repo):
    code, _, _ = act(target="$(touch pwned)", since="; touch pwned", baseline="")
    assert code == 2
    assert not (repo.path / "pwned").exists()


def test_the_template_of_gitlab_writes_the_reports_that_it_names(repo, tmp_path):
    text = TEMPLATE.read_text()
    script = text.split("- >-\n")[1].split("\n  artifacts:")[0]
    words = shlex.split(script.replace("$SECRET_SCAN_FLAGS", ""))
    repo.commit("a.txt", f"t = '{github_token()}'\n")
    done = subprocess.run(
        [COMMAND, *words[1:]], cwd=repo.path, capture_output=True, text=True, check=False,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    named = re.findall(r"(?:secret_detection|junit): (\S+)", text) + re.findall(
        r"paths: \[(.*)\]", text
    )[0].split(", ")
    for name in named:
        assert (repo.path / name).stat().st_size > 0
    report = json.loads((repo.path / "gl-secret-detection-report.json").read_text())
    assert report["vulnerabilities"][0]["location"]["commit"]["sha"] == repo.git(
        "rev-parse", "HEAD"
    )
