"""Ignores: an owner, a reason, an end; one fingerprint each, told in the receipt."""

import contextlib
import datetime as dt
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner import ScanOptions, foreign, ignorefile, scan
from scanner.ignorefile import Ignore
from tests.scanner.secrets import github_token, password
from vocabulary.credential import KnownKey
from vocabulary.errors import ConfigError
from vocabulary.finding import Confidence

DAY = dt.date(2026, 1, 31)
NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC).timestamp()
WORDS = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


def ignored(fingerprint="0" * 32, **fields):
    made = {"reason": "an example", "owner": "ada", "expires": DAY}
    return Ignore(fingerprint=fingerprint, **(made | fields))


def at(moment):
    return lambda: moment


def scanned(repo, ignores, moment=NOON, lookup=None):
    options = ScanOptions(ignores=tuple(ignores))
    return scan(repo.path, options, lookup, clock=at(moment))


@pytest.fixture
def leak(repo):
    """Return the one finding of the repository."""
    repo.commit("a.txt", f"t = '{github_token()}'\n")
    (found,) = scan(repo.path)
    return found


def test_an_ignore_holds_through_its_last_day_and_is_counted(repo, leak):
    report = scanned(repo, [ignored(leak.fingerprint)])
    assert len(report) == 0
    assert report.receipt.exit_code == 0
    assert report.receipt.json()["ignores"] == {"hidden": 1, "expired": []}


def test_an_expired_ignore_fires_again_and_is_told(repo, leak):
    report = scanned(repo, [ignored(leak.fingerprint)], NOON + 86_400)
    (found,) = report
    assert "ada had it ignored until 2026-01-31: an example" in found.reasons
    assert report.receipt.expired[0]["owner"] == "ada"
    assert "is shown again" in report.receipt.text()[-1]


def test_an_expired_ignore_fires_even_if_a_baseline_knows_the_finding(repo, leak):
    options = ScanOptions(
        ignores=(ignored(leak.fingerprint),), baseline=frozenset([leak.fingerprint])
    )
    assert len(scan(repo.path, options, clock=at(NOON + 86_400))) == 1
    assert len(scan(repo.path, options, clock=at(NOON))) == 0


def test_another_value_at_the_same_place_fires(repo, leak):
    repo.write("a.txt", f"t = '{github_token(2)}'\n")
    (found,) = scanned(repo, [ignored(leak.fingerprint)])
    assert found.fingerprint != leak.fingerprint


def test_a_hidden_key_that_works_is_told(repo, leak):
    key = KnownKey("key_1", "active", "live", "live")
    report = scanned(repo, [ignored(leak.fingerprint)], lookup=lambda asked: [key] * len(asked))
    assert len(report) == 0
    assert "1 of the hidden findings are keys of yours that work" in report.receipt.warnings


def test_a_file_that_lies_in_the_target_hides_nothing(repo, leak):
    for name in ("ignore.toml", "keywatch-ignore.toml", ".keywatch/ignore.toml"):
        file = repo.path / name
        file.parent.mkdir(exist_ok=True)
        ignorefile.write(file, [ignored(leak.fingerprint, expires=None)])
    assert leak.fingerprint in {found.fingerprint for found in scan(repo.path)}


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            ignored,
            fingerprint=st.from_regex(r"[0-9a-f]{32}|[0-9a-f]{20}-[0-9a-f]{3}", fullmatch=True),
            reason=WORDS, owner=WORDS, path=st.text(st.characters(codec="utf-8")),
            expires=st.none() | st.dates(),
        ),
        unique_by=lambda one: one.fingerprint,
    )
)  # fmt: skip
def test_what_is_written_is_read_again(tmp_path_factory, ignores):
    file = tmp_path_factory.getbasetemp() / "ignore.toml"
    ignorefile.write(file, ignores)
    assert sorted(ignorefile.read(file), key=repr) == sorted(ignores, key=repr)
    before = file.read_bytes()
    ignorefile.write(file, reversed(ignores))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('fingerprint = "x"\nreason = "r"\nowner = "o"', r"ignore.toml:1: `x` is no fingerprint"),
        (f'fingerprint = "{"0" * 32}"\nowner = "o"', "reason"),
        (f'fingerprint = "{"0" * 32}"\nreason = " "\nowner = "o"', "needs a reason"),
        (f'fingerprint = "{"0" * 32}"\nreason = "r"\nowner = "o"\nexpires = 3', "expires"),
        (f'fingerprint = "{"0" * 32}"\nreason = "r"\nowner = "o"\nuntil = 3', "did you mean|valid"),
        ('rule = "*"\nreason = "r"\nowner = "o"', "fingerprint"),
        ("fingerprint = ", "not TOML"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_line(table, said, tmp_path):
    file = tmp_path / "ignore.toml"
    file.write_text(f"[[ignore]]\n{table}\n")
    with pytest.raises(ConfigError, match=said):
        ignorefile.read(file)


def test_two_ignores_of_one_finding_are_refused(tmp_path):
    file = tmp_path / "ignore.toml"
    ignorefile.write(file, [ignored(), ignored(owner="bob")])
    with pytest.raises(ConfigError, match="a second ignore"):
        ignorefile.read(file)


def found_in(repo):
    options = ScanOptions(confidence=Confidence.LOW, show_secrets=True)
    return list(scan(repo.path, options))


def test_gitleaks_fingerprints_are_matched_by_commit_file_and_line(repo, tmp_path):
    commit = repo.commit("dir/a:b.txt", f"\nt = '{github_token()}'\n")
    repo.commit("dir/a:b.txt", f"\n\n\nt = '{github_token()}'\n")
    file = tmp_path / ".gitleaksignore"
    file.write_text(
        "# a comment\n\n"
        f"{commit}:dir/a:b.txt:github-pat:2\n"  # where it came in
        "dir\\a:b.txt:github-pat:4\n"  # where it is now
        f"{commit}:dir/a:b.txt:github-pat:3\n"  # another line
        f"{'0' * 40}:dir/a:b.txt:github-pat:2\n"  # another commit
        f"{commit}:dir/a:b.txt:slack-bot-token:2\n"  # another kind of secret
    )
    matched = foreign.match(foreign.read(file), found_in(repo))
    assert [found.rule for found in matched.findings] == ["github-personal-access-token"]
    assert [one.where.rsplit(":", 1)[1] for one in matched.unmatched] == ["5", "6", "7"]


def test_detect_secrets_entries_are_matched_by_the_value_wherever_it_moved(repo, tmp_path):
    token, word = github_token(), password()
    repo.commit("conf.py", f"\n\n\nt = '{token}'\npassword = '{word}'\n")
    file = tmp_path / ".secrets.baseline"

    def entry(value, line, kind):
        sha1 = hashlib.sha1(value.encode()).hexdigest()
        return {"type": kind, "hashed_secret": sha1, "line_number": line, "is_verified": False}

    listed = [
        entry(token, 1, "GitHub Token"),
        entry(word, 99, "Secret Keyword"),
        entry(github_token(9), 4, "Slack Token"),
    ]
    file.write_text(json.dumps({"version": "1.5.0", "results": {"./conf.py": listed}}))
    matched = foreign.match(foreign.read(file), found_in(repo))
    assert len(matched.findings) == 2
    assert [one.kind for one in matched.unmatched] == ["Slack Token"]


@pytest.mark.parametrize(
    "text", ["no fingerprint\n", "a:b\n", "{", '{"results": 3}', '{"results": {"a": [{}]}}']
)
def test_what_is_of_no_other_scanner_is_refused(text, tmp_path):
    (tmp_path / "file").write_text(text)
    with pytest.raises(ConfigError):
        foreign.read(tmp_path / "file")


@settings(deadline=None)
@given(st.text())
def test_hostile_text_is_refused_or_read_and_never_worse(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "foreign"
    file.write_text(text.encode("utf-8", "replace").decode())
    with contextlib.suppress(ConfigError):
        assert all(entry.path for entry in foreign.read(file))
