"""Texts that attackers may have written, made harmless for each medium.

Whatever a message says of logs, paths and people passes `plain` first: one line without control
characters, invisible marks or marks that turn the direction of writing.
"""

import unicodedata

LONGEST = 1000

_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def plain(text: object, longest: int = LONGEST) -> str:
    """Return one line of visible text; what is invisible becomes a space, what is long is cut."""
    said = "".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in str(text))
    said = " ".join(said.split())
    return said if len(said) <= longest else said[: longest - 1] + "…"


def fenced(text: str) -> str:
    """Return text as a code block of Markdown, in which nothing is a link, a mention or HTML.

    The fence is longer than any run of backticks inside.
    https://spec.commonmark.org/0.31.2/#fenced-code-blocks
    """
    runs = [len(run) for run in "".join(c if c == "`" else " " for c in text).split()]
    fence = "`" * max(3, max(runs, default=0) + 1)
    return f"{fence}text\n{text}\n{fence}"


def cef_header(text: str) -> str:
    """Return text for a field of a CEF header: its separators are escaped.

    ArcSight, "Implementing ArcSight Common Event Format", version 26.
    """
    return plain(text).replace("\\", "\\\\").replace("|", "\\|")


def cef_value(text: str) -> str:
    """Return text for a value of a CEF extension."""
    return plain(text).replace("\\", "\\\\").replace("=", "\\=")
