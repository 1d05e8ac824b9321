"""A baseline hides what is known, and nothing else; it does not churn."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from scanner import ScanOptions, baseline, reports, scan
from scanner.run import Report
from tests.scanner.reporting import finding, receipt
from tests.scanner.secrets import github_token, password
from vocabulary.errors import ConfigError
from vocabulary.finding import Confidence

LOW = ScanOptions(confidence=Confidence.LOW)


def line(seed):
    return f"t = '{github_token(seed)}'\n"


@pytest.mark.parametrize("form", ["json", "jsonl", "sarif", "compact"])
def test_any_earlier_report_is_a_baseline(form, repo, tmp_path):
    repo.commit("a.txt", line(1))
    repo.commit("b.txt", f"password = '{password()}'\n")
    first = scan(repo.path, LOW)
    assert len(first) == 2
    file = tmp_path / "known"
    if form == "compact":
        baseline.write(file, first)
    else:
        out = io.StringIO()
        reports.find(form)(first, out)
        file.write_text(out.getvalue())
    repo.commit("c.txt", line(2))
    second = scan(repo.path, replace(LOW, baseline=baseline.read(file)))
    assert [found.path for found in second] == ["c.txt"]
    assert second.receipt.json()["baseline"] == len(second.known) == 2
    assert second.receipt.exit_code == 1


def test_moved_lines_and_renamed_files_stay_known_and_a_new_value_fires(repo, tmp_path):
    repo.commit("a.txt", line(1))
    file = tmp_path / "known"
    baseline.write(file, scan(repo.path))
    options = ScanOptions(tree=True, baseline=baseline.read(file))
    repo.git("mv", "a.txt", "b.txt")
    repo.write("b.txt", "one\ntwo\n" + line(1))
    assert len(scan(repo.path, options)) == 0
    repo.write("b.txt", line(2))
    assert len(scan(repo.path, options)) == 1


@settings(deadline=None)
@given(st.permutations(list(range(20))))
def test_the_compact_file_depends_on_what_is_known_and_on_no_order(tmp_path_factory, order):
    file = tmp_path_factory.getbasetemp() / "known"
    baseline.write(file, [finding(number=number) for number in range(20)])
    before = file.read_bytes()
    baseline.write(file, [finding(number=number) for number in order])
    assert file.read_bytes() == before
    assert baseline.read(file) == {f"{number:032x}" for number in range(20)}


def test_an_empty_report_of_json_lines_knows_nothing(tmp_path):
    (tmp_path / "known").write_text("")
    assert baseline.read(tmp_path / "known") == frozenset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("abc\n", r"known:1: no fingerprint"),
        ("# head\n" + "0" * 32 + "\nfoo\n", r"known:3: no fingerprint"),
        ('{"findings": [{}]}', r"findings\[0\]"),
        ('{"fingerprint": "%s"}\n{"x": 1}\n' % ("0" * 32), r"known:2: "),
        ('{"a": 1}\n{', r"known:1: "),
        ('{"version": "1.4.0", "plugins_used": [], "results": {}}', "keywatch ignore import"),
        ("\xff\xfe", "known"),
    ],
)
def test_what_is_no_baseline_is_refused_with_its_line(text, said, tmp_path):
    (tmp_path / "known").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=said):
        baseline.read(tmp_path / "known")


def test_a_baseline_that_cannot_be_written_is_told_with_its_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="not a directory") as told:
        baseline.write(tmp_path / "file" / "known", [finding()])
    assert "known" in told.value.where


def test_a_report_of_one_finding_is_a_baseline(tmp_path):
    out = io.StringIO()
    reports.find("jsonl")(Report((finding(),), receipt()), out)
    (tmp_path / "known").write_text(out.getvalue())
    assert baseline.read(tmp_path / "known") == {finding().fingerprint}


def test_a_baseline_that_fits_nothing_is_told(repo):
    repo.commit("a.txt", line(1))
    report = scan(repo.path, ScanOptions(baseline=frozenset(["0" * 32])))
    assert len(report) == 1
    assert "nothing of the baseline" in report.receipt.warnings[0]
