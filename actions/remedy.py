"""What to do about a leaked secret: where it stands, how to replace it, how to purge it.

The commands name objects by their hashes alone: nothing in them was written by an attacker, and
none contains the secret.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_HEX = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN = 12


class Guide(msgspec.Struct, frozen=True):
    """The guide for one leak.

    Attributes:
        places: (path with line, commit, author, date) of every place.
        rotate, purge: steps, in order.
        commands: for a shell, in a fresh clone; empty where the leak is in no git history.
    """

    title: str
    repository: str
    places: tuple[tuple[str, str, str, str], ...]
    rotate: tuple[str, ...]
    purge: tuple[str, ...]
    commands: str


def guide(finding: Mapping[str, Any], sha256: str = "", repository: str = "") -> Guide:
    """Return what to do about a finding.

    Args:
        finding: as its JSON contract says, redacted.
        sha256: of the secret, where the key store knows it; then only the secret is taken out of
            the files, else whole versions of files.
        repository: where it was found.
    """
    places = finding.get("places") or [finding]
    blobs = _blobs(places)
    return Guide(
        title=f"{finding.get('name', 'a secret')} ({finding.get('secret', '')})",
        repository=repository or str(finding.get("repository", "")),
        places=tuple(_place(one) for one in places),
        rotate=_rotate(finding),
        purge=_purge(in_history=bool(blobs)),
        commands=commands(blobs, sha256) if blobs else "",
    )


def commands(blobs: Sequence[str], sha256: str = "") -> str:
    """Return the commands that purge versions of files, or the secret in them, from a history.

    https://github.com/newren/git-filter-repo. The callback replaces whatever has the hash.

    Args:
        blobs: object ids.
        sha256: of the secret, hex; empty when not known.
    """
    if not _SHA256.fullmatch(sha256):
        listed = "\n".join(blobs)
        how = 'git filter-repo --strip-blobs-with-ids "$ids"'
        return f"ids=$(mktemp)\ncat > \"$ids\" <<'END'\n{listed}\nEND\n{how}"
    ids = ", ".join(f'b"{blob}"' for blob in blobs)
    return (
        "git filter-repo --blob-callback '\n"
        "import hashlib, re\n"
        f'gone = "{sha256}"\n'
        "def without(match):\n"
        "    same = hashlib.sha256(match[0]).hexdigest() == gone\n"
        '    return b"***REMOVED***" if same else match[0]\n'
        f"if blob.original_id in {{{ids}}}:\n"
        '    for word in (rb"[A-Za-z0-9_]+", rb"[A-Za-z0-9_.-]+", rb"[A-Za-z0-9_.+/=-]+"):\n'
        "        blob.data = re.sub(word, without, blob.data)\n"
        "'"
    )


def _blobs(places: Sequence[Mapping[str, Any]]) -> list[str]:
    found = (str(one.get("blob", "")) for one in places)
    return list(dict.fromkeys(blob for blob in found if _HEX.fullmatch(blob)))


def _place(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    line = f":{one['line']}" if one.get("line") else ""
    rest = (str(one.get(name, "")) for name in ("commit", "author", "date"))
    commit, author, date = rest
    return f"{one.get('path', '')}{line}", commit[:_SHOWN], author, date


def _rotate(finding: Mapping[str, Any]) -> tuple[str, ...]:
    key = str(finding.get("key_id", ""))
    if not key:
        return (
            f"Revoke it where it was issued ({finding.get('rule', 'its provider')}).",
            "Make a new one, and keep it in a secret store or the environment.",
        )
    return (
        f"Make the next key: keywatch keys rotate {key}, or keywatch keys create.",
        "Put it where the old one is used, from a secret store or the environment.",
        f"Revoke the old one, if that has not been done: keywatch keys revoke {key}.",
        "See who still tries it: keywatch report revoked.",
    )


def _purge(*, in_history: bool) -> tuple[str, ...]:
    if not in_history:
        return ("Take it out of the file.",)
    return (
        "Revoke first: whoever has a copy of the history keeps the secret.",
        "Take it out of the newest version, and commit that.",
        "In a fresh clone with every branch and tag, run the commands below.",
        "Push with --force, and ask everybody with a clone to clone anew.",
        "Ask the forge to drop cached views, pull requests and forks that still show it.",
        "Scan again: keywatch scan . tells whether it is gone.",
    )
