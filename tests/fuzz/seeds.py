"""A few small inputs to begin each target with, made on the spot."""

import base64
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.scanner.packing import ARCHIVES, database
from tests.scanner.secrets import github_token, password
from tests.scanner.test_image import docker, oci

LINE = f'token = "{github_token()}"\ndb_password: {password()}\n'


def archives() -> Iterator[bytes]:
    files = {"a.txt": LINE.encode(), "deep/b.bin": bytes(range(256)) * 4}
    for make in ARCHIVES.values():
        yield make(files)
    yield ARCHIVES["tgz"]({"inner.zip": ARCHIVES["zip"](files)})
    with tempfile.TemporaryDirectory() as folder:
        yield database(Path(folder) / "a.db", [(1, password(), LINE)])


def text() -> Iterator[bytes]:
    raw = LINE.encode()
    yield raw
    yield base64.b64encode(base64.b64encode(raw))
    yield raw.hex().encode()
    yield LINE.encode("utf-16")
    yield "".join(f"\\u{ord(sign):04x}" for sign in LINE).encode()
    yield "".join(f"%{byte:02x}" for byte in raw).encode()
    yield "".join(f"&#{byte};" for byte in raw).encode()
    yield base64.b64encode(ARCHIVES["tgz"]({"a": raw}))
    yield "\x1b[1m".join(LINE).encode()


def packs() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run([*git, "init", "-q"], check=True)
        for number in range(8):
            lines = [f"line {at} of {number if at == number else 0}" for at in range(80)]
            (Path(folder) / "a").write_text("\n".join(lines), encoding="utf-8")
            subprocess.run([*git, "add", "a"], check=True)
            subprocess.run([*git, "commit", "-qm", str(number)], check=True)
        for more in ([], ["-c", "pack.depth=0"], ["-c", "repack.useDeltaBaseOffset=false"]):
            subprocess.run([*git, *more, "repack", "-qadf"], check=True)
            for index in Path(folder).glob(".git/objects/pack/*.idx"):
                table = index.read_bytes()
                pack = index.with_suffix(".pack").read_bytes()
                yield len(table).to_bytes(2) + table + pack


def deltas() -> Iterator[bytes]:
    base = b"the quick brown fox jumps over the lazy dog. " * 3
    yield bytes([len(base)]) + base + b"\x87\x01\x0a\x90\x2d\x05hello\x90\x00"
    yield bytes([len(base)]) + base + b"\x87\x01\x87\x01\xb0\x87\x00"


def diffs() -> Iterator[bytes]:
    yield (
        b"commit 0123456789012345678901234567890123456789\nAuthor: A <a@example.org>\n\n    why\n\n"
        b'diff --git a/a b/"b\\303\\244"\n--- a/a\n+++ "b/b\\303\\244"\n@@ -1,2 +1,3 @@ def\n a\n'
        b"-b\n+c\n+d\n\\ No newline at end of file\n"
    )
    yield b"diff --cc a\n--- a/a\n+++ b/a\n@@@ -1,1 -1,1 +1,2 @@@\n- a\n +b\n++c\n"


def images() -> Iterator[bytes]:
    for files in (docker(), oci()):
        yield ARCHIVES["tar"](files)


def settings() -> Iterator[bytes]:
    rule = "id = 'a-b'\ndescription = 'x'\nregex = '''(?i)key[a-z]{3,9}'''\nkeywords = ['key']\n"
    yield f"title = 'a'\n[[rules]]\n{rule}[[rules.allowlists]]\nregexes = ['x']\n".encode()
    yield (
        b"rules:\n  - name: A\n    id: a.1\n    pattern: |\n      (?x) a (b|c) [0-9]{4}\n"
        b"    min_entropy: 3\n    examples: [ab1234]\n"
    )
    yield (
        b"provider = 'a'\n[[rule]]\nid = 'a-b'\nname = 'x'\npattern = '(?P<secret>a{3})'\n"
        b"keywords = ['aaa']\n"
    )
    yield b"c" * 40 + b":a/b.py:rule:3\n"
    yield b'{"version": "1.5", "results": {"a.py": [{"type": "x", "hashed_secret": "00"}]}}'
    yield b"[[ignore]]\nfingerprint = 'kw1:00'\nreason = 'x'\nowner = 'a'\nexpires = 2030-01-01\n"


SEEDS = {one.__name__: one for one in (archives, text, packs, deltas, diffs, images, settings)}
