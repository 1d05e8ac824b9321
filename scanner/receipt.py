"""The receipt: what was scanned, what was left out, and why. A coverage that CI can assert on."""

from typing import Any

import msgspec

from scanner.printable import printable, text
from vocabulary.errors import ExitCode


class Receipt(msgspec.Struct):
    """Filled in while a scan goes on.

    Attributes:
        listed: type → [objects, bytes], as git lists them; equal to `git cat-file
            --batch-all-objects --batch-check`.
        read: objects whose contents were scanned, and their bytes.
        seen: of these, objects that an earlier scan read under the same rules.
        files: files read beside the objects, and their bytes.
        unfolded: bytes that came out of archives.
        incomplete: what should have been scanned and was not, a sentence each.
        left_out: reason → how often; by choice or limit.
        asked: providers that were asked → about how many secrets.
        submodules: that were scanned along; their objects and files are counted with the rest.
        ignored: findings hidden by marks on their own line.
        known: findings hidden by the baseline.
        ignored_by_file: findings hidden by ignores of the configuration.
        expired: ignores whose day has passed.
        below: findings below the confidence that is shown.
        began: when the scan did, in epoch seconds.
    """

    target: str = ""
    source: str = ""
    rules: int = 0
    rules_digest: str = ""
    listed: dict[str, list[int]] = msgspec.field(default_factory=dict)
    read: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    seen: int = 0
    files: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    opened: dict[str, int] = msgspec.field(default_factory=dict)
    unfolded: int = 0
    incomplete: list[str] = msgspec.field(default_factory=list)
    left_out: dict[str, int] = msgspec.field(default_factory=dict)
    submodules: list[str] = msgspec.field(default_factory=list)
    asked: dict[str, int] = msgspec.field(default_factory=dict)
    warnings: list[str] = msgspec.field(default_factory=list)
    ignored: int = 0
    known: int = 0
    ignored_by_file: int = 0
    expired: list[dict[str, str]] = msgspec.field(default_factory=list)
    below: int = 0
    findings: int = 0
    began: float = 0.0
    seconds: float = 0.0

    def add(self, inner: "Receipt", path: str) -> None:
        """Take over the receipt of a submodule that lies at `path`."""
        for kind, (count, size) in inner.listed.items():
            before = self.listed.setdefault(kind, [0, 0])
            before[0], before[1] = before[0] + count, before[1] + size
        for own, more in ((self.read, inner.read), (self.files, inner.files)):
            own[0], own[1] = own[0] + more[0], own[1] + more[1]
        for counts, further in ((self.opened, inner.opened), (self.left_out, inner.left_out)):
            for name, count in further.items():
                counts[name] = counts.get(name, 0) + count
        self.seen += inner.seen
        self.unfolded += inner.unfolded
        self.ignored += inner.ignored
        self.incomplete += [f"{path}: {said}" for said in inner.incomplete]
        self.warnings += [f"{path}: {said}" for said in inner.warnings]
        self.submodules += [path, *(f"{path}/{name}" for name in inner.submodules)]

    @property
    def empty(self) -> bool:
        """Whether not a single byte was there to be scanned."""
        return not (self.read[1] or self.seen or self.files[1] or self.unfolded or self.incomplete)

    @property
    def exit_code(self) -> ExitCode:
        """Return what the command line ends with; something missed beats something found."""
        if self.incomplete:
            return ExitCode.INCOMPLETE
        return ExitCode.FINDINGS if self.findings else ExitCode.OK

    @staticmethod
    def time(epoch: float) -> str:
        """Write epoch seconds the way RFC 3339 does, in UTC."""
        import time  # noqa: PLC0415  (only for receipts that are written)

        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))

    def json(self) -> dict[str, Any]:
        """Return the receipt for programs."""
        return {
            "target": text(self.target),
            "source": self.source,
            "complete": not self.incomplete,
            "rules": {"count": self.rules, "digest": self.rules_digest},
            "objects": {
                **{kind: {"count": n, "bytes": size} for kind, (n, size) in self.listed.items()},
                "total": {
                    "count": sum(n for n, _ in self.listed.values()),
                    "bytes": sum(size for _, size in self.listed.values()),
                },
            },
            "scanned": {"objects": self.read[0], "bytes": self.read[1], "seen": self.seen},
            "files": {"count": self.files[0], "bytes": self.files[1]},
            "archives": {"opened": self.opened, "bytes": self.unfolded},
            "incomplete": list(map(text, self.incomplete)),
            "left_out": self.left_out,
            "asked": self.asked,
            "submodules": list(map(text, self.submodules)),
            "warnings": list(map(text, self.warnings)),
            "inline_ignores": self.ignored,
            "baseline": self.known,
            "ignores": {"hidden": self.ignored_by_file, "expired": self.expired},
            "below_confidence": self.below,
            "findings": self.findings,
            "began": self.time(self.began),
            "seconds": round(self.seconds, 3),
        }

    def text(self) -> list[str]:
        """Return the receipt for a person, a line each."""
        lines = [f"scanned {self._what()} with {self.rules} rules in {self.seconds:.1f} s"]
        if self.seen:
            lines.append(f"{self.seen} of them were read by an earlier scan (--no-cache)")
        if self.submodules:
            count = len(self.submodules)
            lines.append(f"with {count} submodule{'s' if count > 1 else ''}")
        if self.opened:
            opened = ", ".join(f"{n} {kind}" for kind, n in sorted(self.opened.items()))
            lines.append(f"opened {opened} ({_size(self.unfolded)})")
        if self.asked:
            told = ", ".join(f"{host} about {n}" for host, n in sorted(self.asked.items()))
            lines.append(f"asked {told}")
        if self.ignored:
            lines.append(f"{self.ignored} hidden by marks on their lines (--no-inline-ignores)")
        if self.known:
            lines.append(f"{self.known} known already (baseline)")
        if self.ignored_by_file:
            lines.append(f"{self.ignored_by_file} ignored (keywatch ignore list)")
        if self.below:
            lines.append(f"{self.below} below the confidence shown (--confidence low)")
        lines += [f"left out: {reason} ({count} times)" for reason, count in self.left_out.items()]
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"NOT SCANNED: {reason}" for reason in self.incomplete[:_SHOWN]]
        if len(self.incomplete) > _SHOWN:
            lines.append(f"NOT SCANNED: {len(self.incomplete) - _SHOWN} more (--receipt FILE)")
        return list(map(printable, lines))

    def _what(self) -> str:
        parts = [f"{n} {kind}s" for kind, (n, _) in self.listed.items() if n and kind != "tree"]
        if parts:
            parts[-1] += f" ({_size(self.read[1])})"
        if self.files[0] or not parts:
            parts.append(f"{self.files[0]} files ({_size(self.files[1])})")
        return ", ".join(parts)


_SHOWN = 20


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count} bytes"  # noqa: PLR2004
