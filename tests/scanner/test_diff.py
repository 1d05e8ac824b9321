"""Diffs on stdin: what is added is attributed to the file and the line that it will have."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner import ScanOptions, diff, scan, stdin
from tests.scanner.secrets import github_token


def line(seed=1):
    return f"t = '{github_token(seed)}'\n"


def scanned(text, **options):
    raw = text if isinstance(text, bytes) else text.encode()
    return scan("-", ScanOptions(**options), stdin=io.BytesIO(raw))


def places(report):
    return {(f.path, f.line) for f in report}


@pytest.fixture
def changed(repo):
    repo.commit("old.txt", "".join(f"{n}\n" for n in range(30)) + line(1))
    repo.commit("moved.txt", "1\n2\n3\n4\n")
    repo.git("mv", "moved.txt", "sub dir.txt")
    repo.write("sub dir.txt", "1\n2\n3\n4\n" + line(2))
    repo.write("old.txt", "".join(f"{n}\n" for n in range(20)) + line(3))
    repo.write("caf\u00e9\t.txt", "x\n" + line(4).rstrip("\n"))
    repo.git("add", "-A")
    return repo


WANTED = {("sub dir.txt", 5), ("old.txt", 21), ("caf\u00e9\t.txt", 2)}


@pytest.mark.parametrize(
    "words",
    [[], ["--no-prefix"], ["--color=always"], ["-U0"], ["-M"], ["--binary"],
     ["-c", "diff.mnemonicPrefix=true"], ["--src-prefix=x/", "--dst-prefix=b/"], ["--stat", "-p"]],
)  # fmt: skip
def test_what_git_diff_adds_is_found_under_its_name(changed, words):
    options = [word for word in words if word != "-c" and "mnemonic" not in word]
    before = words if "-c" in words else []
    text = changed.git(*before, "diff", "--cached", *options) + "\n"
    report = scanned(text)
    assert report.receipt.source == "diff"
    if "--src-prefix=x/" in words:
        assert len(report) == 3
    else:
        assert places(report) == WANTED
    assert report.receipt.left_out["lines that a diff removes"] > 0


def test_the_commits_of_git_log_are_named(changed):
    changed.git("commit", "-q", "-m", f"subject\n\nand {github_token(9)}")
    head = changed.git("rev-parse", "HEAD")
    report = scanned(changed.git("log", "-p") + "\n")
    found = {(f.path, f.line, f.commit) for f in report}
    assert {(path, number, head) for path, number in WANTED} <= found
    (message,) = [f for f in report if f.path == "(commit message)"]
    assert message.commit == head
    assert message.author == "Ada <ada@example.org>"


def test_a_patch_of_format_patch(changed):
    changed.git("commit", "-q", "-m", "subject")
    report = scanned(changed.git("format-patch", "-1", "--stdout") + "\n")
    assert places(report) == WANTED


def test_a_merge_shows_what_neither_parent_has(repo):
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("a.txt", "side\n" + line(1))
    repo.git("checkout", "-q", "main")
    repo.commit("a.txt", "main\n")
    repo.git("merge", "-q", "side", check=False)
    repo.write("a.txt", "main\n" + line(1) + line(2))
    repo.git("add", "a.txt")
    repo.git("commit", "-q", "-m", "merge")
    assert places(scanned(repo.git("show", "--cc") + "\n")) == {("a.txt", 2), ("a.txt", 3)}


def test_plain_diffs_of_other_programs():
    text = f"--- conf.ini\t2024-01-01\n+++ conf.ini\t2024-01-02\n@@ -1 +1,2 @@\n x\n+{line()}"
    assert places(scanned(text)) == {("conf.ini", 2)}
    assert places(scanned("Index: conf.ini\n======\n" + text)) == {("conf.ini", 2)}


def test_what_is_removed_or_stood_there_before_is_not_new():
    text = f"--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n {line(1)}-{line(2)}+clean\n"
    assert not len(scanned(text))
    assert len(scanned(text, diff=False)) == 2


def test_content_is_never_taken_for_a_header():
    body = f"+--- a/other\n++++ b/other\n+@@ -1 +1 @@\n+{line()}"
    text = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,4 @@\n{body}"
    assert places(scanned(text)) == {("x", 4)}


def test_an_ordinary_text_is_none():
    assert scanned(line()).receipt.source == "stdin"
    assert not diff.begins(b"--- a heading\nand text\n")
    assert places(scanned(line(), diff=True)) == {("(diff)", 1)}


def test_a_key_of_many_lines_across_a_long_diff_is_whole(monkeypatch):
    monkeypatch.setattr(diff, "_FLUSH", 2000)
    rows = [f"row {n}\n" for n in range(300)] + [line()] + [f"row {n}\n" for n in range(300)]
    text = f"--- /dev/null\n+++ b/x\n@@ -0,0 +1,{len(rows)} @@\n" + "".join(f"+{r}" for r in rows)
    (finding,) = scanned(text)
    assert (finding.path, finding.line, finding.count) == ("x", 301, 1)


LINES = st.sampled_from(
    [b"diff --git a/x b/x\n", b"--- a/x\n", b"+++ b/x\n", b"@@ -1,2 +1,3 @@ f\n",
     b"@@@ -1 -1 +1 @@@\n",
     b"+a\n", b"-b\n", b" c\n", b"\n", b"\\ No newline\n", b"x" * 50,
     b"commit " + b"a" * 40 + b"\n",
     b"\x1b[31m-x\x1b[m\n", b'+++ "b/\\303\\251\\"\n', b"@@ -0,0 +0,0 @@\n", b"\xff\xfe\n"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(LINES, max_size=40), st.integers(1, 30))
def test_no_line_of_any_diff_is_lost(parts, size):
    """Each line is a header, removed, or in a section once; whatever the order."""
    stream = io.BytesIO(b"".join(parts))
    given_lines = list(stdin.lines(lambda _: stream.read(size)))
    assert b"".join(given_lines) == b"".join(parts)
    counts = diff.Counts()
    for section in diff.sections(given_lines, counts):
        assert len(section.lines) == len(section.numbers) == len(section.added)
    assert counts.removed <= len(parts)


def test_a_binary_file_within_a_diff_is_counted_as_not_read(repo):
    repo.write("x.bin", bytes(range(256)))
    repo.write("a.txt", line(1))
    repo.git("add", "-A")
    report = scanned(repo.git("diff", "--cached") + "\n")
    assert places(report) == {("a.txt", 1)}
    assert any("binary" in said for said in report.receipt.text()), report.receipt.text()
