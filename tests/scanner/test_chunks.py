"""Long texts are cut where their lines say, so that what they share is read once."""

import random

import pytest

from scanner.chunks import LEAD, LONG, Cutter
from scanner.confirm import REACH
from tests.scanner.conftest import Repo
from tests.scanner.secrets import github_token
from tests.scanner.test_packs import by_git, lines, names_of, scanned, told


def key_block(rng):
    """Return a private key of a few thousand characters, line by line."""
    kind = "RSA PRIVATE" + " KEY"
    body = ["".join(rng.choices("ABCDEFGHabcdefgh0123456789+/", k=64)) for _ in range(50)]
    return [f"-----BEGIN {kind}-----", *body, f"-----END {kind}-----"]


@pytest.fixture
def indented(tmp_path):
    """Pack versions of a text, each of them a difference to one that is indented otherwise."""
    (tmp_path / "repo").mkdir()
    repo = Repo(tmp_path / "repo")
    repo.git("init", "-q", "--bare", "-b", "main")
    rng = random.Random(4)
    rows, names = lines(rng, 6000), []
    for number in range(16):
        at = rng.randrange(len(rows))
        rows[at:at] = lines(rng, 3)
        if number in (3, 4, 9):
            rows[at:at] = [f'token = "{github_token(number)}"', *key_block(rng)]
        text = "\n".join("\t "[number % 2] + row for row in rows)
        names.append(repo.git("hash-object", "-w", "--stdin", stdin=text.encode()).strip())
    for pair in zip(names[::2], names[1::2], strict=True):
        repo.git("pack-objects", "-q", "objects/pack/pack", stdin=b"\n".join(pair))
    repo.git("prune-packed", "-q")
    return repo


def test_what_texts_share_is_read_once_however_git_stores_them(indented, engine, monkeypatch):
    read = []
    whole = type(engine.searcher()).hits
    monkeypatch.setattr(
        "scanner.searcher.Searcher.hits",
        lambda self, batch: read.append(batch.used) or whole(self, batch),
    )
    names = names_of(indented)
    ours = scanned(indented, engine, names)
    assert sum(read) < ours.size * 0.8  # half of the texts are stored whole and read whole
    found = told(ours.matches)
    assert {"github-personal-access-token", "private-key-rsa"} <= {one[1] for one in found}
    assert found == by_git(indented, engine, names)[0]


def text_of(seed, size=3000):
    return ("\n".join(lines(random.Random(seed), size)) + "\n").encode()


@pytest.mark.parametrize("seed", range(5))
def test_equal_parts_are_cut_alike(engine, seed):
    cutter, shared = Cutter(engine.confirmers), text_of(seed)
    cuts = []
    for before, behind in ((text_of(seed + 10, 40), b""), (b"", text_of(seed + 20, 70))):
        text = before + shared + behind
        chunks = list(cutter.chunks(text, 0, len(text)))
        assert b"".join(text[begin:end] for _, begin, end in chunks) == text
        assert all(text[begin - 1 : begin] == b"\n" for _, begin, _ in chunks[1:])
        inside = {end - len(before) for _, _, end in chunks}
        cuts.append({at for at in inside if 8 <= at <= len(shared) - 8})
    assert len(shared) > LONG
    assert cuts[0] == cuts[1]
    assert len(cuts[0]) > 5


def test_more_is_read_before_a_chunk_where_a_match_may_span_lines(engine):
    cutter, text = Cutter(engine.confirmers), text_of(1)
    plain = list(cutter.chunks(text, 0, len(text)))
    assert {begin - lead for lead, begin, _ in plain[1:] if begin > REACH} == {LEAD}
    text += "\n".join(key_block(random.Random(1))).encode()
    spanning = cutter.chunks(text, 0, len(text))
    assert {begin - lead for lead, begin, _ in spanning if begin > REACH} == {REACH}


@pytest.mark.parametrize("text", [b"", b"a" * 20, b"\n" * 40, b"a\n" * 9], ids=len)
def test_short_texts_stay_in_one_piece_or_are_cut_at_lines(engine, text):
    chunks = list(Cutter(engine.confirmers).chunks(text, 0, len(text)))
    assert b"".join(text[begin:end] for _, begin, end in chunks) == text
