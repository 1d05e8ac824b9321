"""Packs are read by ourselves; what git says of the same objects is what must come out."""

import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scanner import ScanOptions, objecttexts, packscan, scan
from scanner.packscan import scan_packs
from scanner.receipt import Receipt
from scanner.sources import objects, versions
from scanner.sources.delta import applied, long_copies, target_size
from scanner.sources.gitrun import find
from scanner.sources.plan import Listing
from scanner.tally import Tally
from tests.scanner.conftest import IDENTITY, Repo
from tests.scanner.secrets import github_token, password

WORDS = "alpha beta gamma delta return value of the list with open file for each line".split()


def lines(rng, count):
    return [" ".join(rng.choices(WORDS, k=rng.randint(2, 9))) for _ in range(count)]


def edited(rng, text):
    """Change a few places of a text, as people do; now and then a secret comes or goes."""
    rows = list(text)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(rows))
        match rng.randrange(7):
            case 0:
                rows[at] = f'token = "{github_token(rng.randrange(12))}"'
            case 1:
                rows[at] = f'db_password = "{password(rng.randrange(12))}"'
            case 2:
                rows[at] = rows[at] + "  # " + "keywatch" + ":allow"
            case 3:
                del rows[at : at + rng.randint(1, 30)]
                rows = rows or ["none"]
            case 4:
                rows[at:at] = lines(rng, rng.randint(1, 12))
            case 5:  # a stretch is moved
                cut = rows[at : at + 40]
                del rows[at : at + 40]
                there = rng.randrange(len(rows) + 1)
                rows[there:there] = cut
            case 6:
                rows[at] = (
                    " ".join(lines(rng, 120)) + f' "secret": "{github_token(rng.randrange(12))}"'
                )
    return rows


def history(path, seed, versions_of_it, *, form="sha1"):
    """Make a bare repository with one file's versions, packed as differences."""
    path.mkdir()
    repo = Repo(path)
    repo.git("init", "-q", "--bare", f"--object-format={form}", "-b", "main")
    rng, texts = random.Random(seed), [lines(random.Random(seed), 260)]
    for _ in range(versions_of_it - 1):
        texts.append(edited(rng, rng.choice(texts[-3:])))
    stream = b""
    for number, rows in enumerate(texts):
        text = "\n".join(rows).encode()
        said = f"version {number}\n".encode()
        stream += (
            b"commit refs/heads/main\ncommitter A <a@example.org> %d +0000\n"
            b"data %d\n%sM 100644 inline file.py\ndata %d\n%s\n"
            % (1_600_000_000 + number, len(said), said, len(text), text)
        )
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=path, input=stream, check=True,
        env={**os.environ, **IDENTITY},
    )  # fmt: skip
    repo.git("repack", "-adfq", "--depth=40", "--window=10")
    return repo


def names_of(repo):
    return Listing(find(repo.path)).plan().names


def by_git(repo, engine, names):
    searcher, read = engine.searcher(), objects.Read()
    found = [
        m for batch in objects.batches(find(repo.path), names, read) for m in searcher.search(batch)
    ]
    return told(found), read.objects, read.size, searcher.tally.ignored


def told(matches):
    return sorted(
        (m.item, m.rule.id, m.start, m.end, m.line, m.column, m.end_line, m.secret, m.decoding)
        for m in matches
    )


def scanned(repo, engine, names, workers=1):
    return scan_packs(find(repo.path).packs, names, engine, workers, lambda _: None)


@pytest.mark.parametrize("seed", range(4))
def test_what_a_version_has_from_its_base_is_found_as_if_it_were_read(tmp_path, engine, seed):
    repo = history(tmp_path / "repo", seed, 70)
    names = names_of(repo)
    ours = scanned(repo, engine, names)
    matches, count, size, ignored = by_git(repo, engine, names)
    assert any(m[1].startswith("github") for m in matches)
    assert told(ours.matches) == matches
    assert (ours.objects, ours.size, ours.left) == (count, size, [])
    assert ours.tally.ignored == ignored


def test_most_of_a_history_is_not_read_again(tmp_path, engine, monkeypatch):
    repo = history(tmp_path / "repo", 3, 120)
    read = []
    whole = type(engine.searcher()).hits
    monkeypatch.setattr(
        "scanner.searcher.Searcher.hits",
        lambda self, batch: read.append(batch.used) or whole(self, batch),
    )
    ours = scanned(repo, engine, names_of(repo))
    assert sum(read) < ours.size / 2


def test_what_changed_once_is_read_once_wherever_it_stands(tmp_path, engine, monkeypatch):
    """Each difference to the largest text holds what the others have instead: the same in all."""
    (tmp_path / "repo").mkdir()
    repo = Repo(tmp_path / "repo")
    repo.git("init", "-q", "--bare", "-b", "main")
    rows = lines(random.Random(5), 2000)
    bases = ["\n".join([*rows, *lines(random.Random(7), 2000)])]
    block = [*lines(random.Random(6), 400), f'token = "{github_token(1)}"']
    bases += [
        "\n".join([*rows[:900], *block, *rows[900 : 2000 - number], str(number)])
        for number in range(30)
    ]
    names = [repo.git("hash-object", "-w", "--stdin", stdin=text) for text in bases]
    repo.git(
        "pack-objects",
        "-q",
        "--depth=1",
        "--window=50",
        "objects/pack/pack",
        stdin="\n".join(names),
    )
    repo.git("prune-packed", "-q")
    read = []
    whole = type(engine.searcher()).hits
    monkeypatch.setattr(
        "scanner.searcher.Searcher.hits",
        lambda self, batch: read.append(batch.used) or whole(self, batch),
    )
    names = names_of(repo)
    ours = scanned(repo, engine, names)
    assert sum(read) < len(bases[0]) + 5 * len("\n".join(block))
    assert told(ours.matches) == by_git(repo, engine, names)[0]
    assert len(ours.matches) == 30


@pytest.mark.parametrize("form", ["sha1", "sha256"])
@pytest.mark.parametrize("arguments", [[], ["--delta-base-offset"]])
def test_bases_are_found_by_distance_and_by_name(tmp_path, engine, form, arguments):
    repo = history(tmp_path / "repo", 5, 25, form=form)
    names = names_of(repo)
    everything = repo.git("rev-list", "--objects", "--all").encode()
    packs = repo.path / "objects" / "pack"
    repo.git(
        "pack-objects", "-q", *arguments, "--no-reuse-delta", str(packs / "pack"), stdin=everything
    )
    ours = scanned(repo, engine, names)
    assert told(ours.matches) == by_git(repo, engine, names)[0]
    assert ours.left == []


def test_several_processes_find_the_same(tmp_path, engine, monkeypatch):
    monkeypatch.setattr(packscan, "_SMALLEST", 2000)
    repo = history(tmp_path / "repo", 8, 60)
    names = names_of(repo)
    alone, together = scanned(repo, engine, names), scanned(repo, engine, names, workers=3)
    assert told(alone.matches) == told(together.matches)
    assert (alone.objects, alone.size) == (together.objects, together.size)


def test_what_a_killed_process_had_to_do_is_done_by_another(tmp_path, engine, monkeypatch):
    monkeypatch.setattr(packscan, "_SMALLEST", 2000)
    repo = history(tmp_path / "repo", 8, 60)
    names, parent = names_of(repo), os.getpid()
    threads = threading.active_count()
    part = packscan._Scan.part

    def deadly(self, which):
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return part(self, which)

    monkeypatch.setattr(packscan._Scan, "part", deadly)
    ours = scanned(repo, engine, names, workers=2)
    assert told(ours.matches) == by_git(repo, engine, names)[0]
    assert threading.active_count() == threads


def test_only_what_is_asked_for_is_told(tmp_path, engine):
    repo = history(tmp_path / "repo", 9, 40)
    names = names_of(repo)[::3]
    ours = scanned(repo, engine, names)
    assert told(ours.matches) == by_git(repo, engine, names)[0]
    assert ours.objects == len(names)


def test_what_does_not_lie_in_a_pack_or_is_too_large_is_left(tmp_path, engine, monkeypatch):
    repo = history(tmp_path / "repo", 2, 30)
    loose = repo.git("hash-object", "-w", "--stdin", stdin=b"loose").decode().encode()
    assert scanned(repo, engine, names_of(repo)).left == [loose]
    monkeypatch.setattr(versions, "LARGE", 900)
    ours = scanned(repo, engine, names_of(repo))
    sizes = repo.git("cat-file", "--batch-all-objects", "--batch-check").splitlines()
    large = {row.split()[0] for row in sizes if int(row.split()[2]) > 900 and " tree " not in row}
    assert large <= {name.decode() for name in ours.left}
    rest = [name for name in names_of(repo) if name not in ours.left]
    assert told(ours.matches) == by_git(repo, engine, rest)[0]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_pack_loses_nothing_that_can_still_be_read(damaged, engine, data):
    repo, pack, index, names = damaged
    raw, directory = bytearray(pack), bytearray(index)
    for _ in range(data.draw(st.integers(1, 4))):
        victim = data.draw(st.sampled_from([raw, directory]))
        victim[data.draw(st.integers(0, len(victim) - 1))] ^= data.draw(st.integers(1, 255))
    base = next((repo.path / "objects" / "pack").glob("*.pack"))
    base.chmod(0o600)
    base.with_suffix(".idx").chmod(0o600)
    base.write_bytes(raw)
    base.with_suffix(".idx").write_bytes(directory)
    ours = scanned(repo, engine, names)
    done = {m.item for m in ours.matches} - {name.decode() for name in ours.left}
    assert ours.objects + len(ours.left) == len(names)
    assert done <= {name.decode() for name in names}


@pytest.fixture
def damaged(tmp_path):
    repo = history(tmp_path / "repo", 4, 20)
    pack = next((repo.path / "objects" / "pack").glob("*.pack"))
    return repo, pack.read_bytes(), pack.with_suffix(".idx").read_bytes(), names_of(repo)


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def copy(offset, length):
    """Write a copy as git does: bytes that are zero are left out."""
    first, rest = 128, b""
    for bit in range(4):
        if part := offset >> 8 * bit & 255:
            first |= 1 << bit
            rest += bytes([part])
    for bit in range(3):
        if part := (length & 0xFFFF if length == 0x10000 else length) >> 8 * bit & 255:
            first |= 16 << bit
            rest += bytes([part])
    return bytes([first]) + rest


STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 69_000), st.integers(1, 0x10000)),
        st.binary(min_size=1, max_size=127),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=120, deadline=None)
@given(STEPS, st.sampled_from([256, 576, 5000]))
def test_long_copies_are_those_of_a_walk_step_by_step(steps, least):
    base = random.Random(1).randbytes(69_000 + 0x10000)
    body, target, long = b"", b"", []
    for step in steps:
        if isinstance(step, bytes):
            body += bytes([len(step)]) + step
            target += step
            continue
        offset, length = step
        body += copy(offset, length)
        if length >= least:
            long.append((offset, length))
        target += base[offset : offset + length]
    delta = varint(len(base)) + varint(len(target)) + body
    assert applied(base, delta) == target
    assert target_size(delta) == len(target)
    copies = long_copies(base, target, delta, least)
    assert [(offset, length) for _, offset, length in copies] == long
    ends = [at + length for at, _, length in copies]
    assert all(end <= at for end, (at, _, _) in zip(ends, copies[1:], strict=False))
    for at, offset, length in copies:
        assert target[at : at + length] == base[offset : offset + length]


def test_whoever_repeats_himself_costs_no_more_than_reading():
    """What begins alike everywhere is looked for a hundred times, not at each of its places."""
    base = b"a" * 10_000 + b"b" + b"a" * 600
    target = b"a" * 2000 + base[9_400:10_500]
    steps = copy(0, 500) * 4 + copy(9_400, 1100)
    delta = varint(len(base)) + varint(len(target)) + steps
    assert applied(base, delta) == target
    assert long_copies(base, target, delta, 256)[:3] == [(0, 0, 500), (500, 0, 500), (1000, 0, 500)]
    assert len(long_copies(base, target, delta, 600)) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=9))
@example([b"\x00\x00\xf2\x01"])  # a copy that ends behind its base
def test_nonsense_in_place_of_differences_does_no_harm(deltas):
    base = bytes(range(256)) * 9
    for delta in deltas:
        for begin, offset, length in long_copies(base, base, delta, 256):
            assert base[begin : begin + length] == base[offset : offset + length]
        try:
            applied(b"base", delta)
            target_size(delta)
        except ValueError:
            continue


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A repository that counts as a large one."""
    for name, value in (("_PART", 5), ("_FEW", 5), ("_LARGE", 0)):
        monkeypatch.setattr(objecttexts, name, value)
    return history(tmp_path / "repo", 5, 40)


def shown(report):
    return [
        (f.rule, f.fingerprint, f.count, [(p.path, p.commit, p.line) for p in f.places])
        for f in report
    ]


def test_a_scan_of_a_large_repository_tells_what_a_scan_of_a_small_one_tells(large, monkeypatch):
    first, again = scan(large.path), scan(large.path)
    monkeypatch.undo()
    small = scan(large.path, ScanOptions(cache=False))
    assert len(small) > 3
    assert shown(first) == shown(again) == shown(small)
    assert first.receipt.json()["scanned"] == small.receipt.json()["scanned"]


def test_objects_that_lie_in_no_pack_are_read_by_several_gits(large, engine):
    names = names_of(large)
    for pack in sorted((large.path / "objects" / "pack").glob("*.pack")):
        inside = pack.read_bytes()
        for file in pack.parent.iterdir():
            file.unlink()
        large.git("unpack-objects", "-q", stdin=inside)
    receipt, tally, ticks = Receipt(), Tally(), []
    found = objecttexts.read_objects(
        find(large.path), names, engine, receipt, lambda *so_far: ticks.append(so_far), workers=3,
        tally=tally,
    )  # fmt: skip
    matches, count, size, ignored = by_git(large, engine, names)
    assert told(found) == matches
    assert (receipt.read, tally.ignored) == ([count, size], ignored)
    assert ticks[-1] == (len(names), len(names))


def test_offsets_of_eight_bytes_are_those_of_large_packs(tmp_path, engine):
    repo = history(tmp_path / "repo", 6, 30)
    names = names_of(repo)
    (pack,) = (repo.path / "objects" / "pack").glob("*.pack")
    index = pack.with_suffix(".idx")
    before = index.read_bytes()
    index.unlink()
    repo.git("index-pack", "--index-version=2,0x100", str(pack))
    assert index.read_bytes() != before
    ours = scanned(repo, engine, names)
    assert ours.left == []
    assert told(ours.matches) == by_git(repo, engine, names)[0]


@pytest.mark.parametrize("odd", [lambda names: [*names, names[0]], lambda names: [*names, b"ab"]])
def test_ids_that_cannot_be_told_apart_are_left_to_git(tmp_path, engine, odd):
    repo = history(tmp_path / "repo", 7, 12)
    asked = odd(names_of(repo))
    ours = scanned(repo, engine, asked)
    assert (ours.matches, ours.left) == ([], asked)


def test_where_nothing_forks_threads_find_the_same(tmp_path, engine, monkeypatch):
    repo = history(tmp_path / "repo", 8, 60)
    names = names_of(repo)
    alone = scanned(repo, engine, names)
    monkeypatch.setattr(packscan, "_SMALLEST", 1)
    monkeypatch.setattr(sys, "platform", "darwin")
    threads = scanned(repo, engine, names, workers=3)
    assert told(threads.matches) == told(alone.matches)
    assert (threads.objects, threads.size) == (alone.objects, alone.size)
