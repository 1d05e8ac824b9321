"""Where things are kept when nobody names another place."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanner.ignorefile import Ignore

DEFAULT_FILE = "keywatch.toml"
DEFAULT_DATABASE = "keywatch.db"


def has_database(url: str) -> bool:
    """Say whether a database is there; of a server that is not asked."""
    scheme, _, path = url.partition(":///")
    return not scheme.startswith("sqlite") or Path(path.partition("?")[0]).exists()


def ignore_file(named: str = "") -> Path:
    """Return where ignores are kept: the file that is named, or one of the user's own."""
    if named:
        return Path(named)
    base = os.environ.get("APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME")
    try:
        return (Path(base) if base else Path.home() / ".config") / "keywatch" / "ignore.toml"
    except RuntimeError:  # a user without a home
        return Path(os.devnull) / "ignore.toml"


def ignores_in(file: Path) -> "tuple[Ignore, ...]":
    """Read the findings that are ignored; none where the file was never made."""
    if not file.exists():
        return ()
    from scanner import ignorefile  # noqa: PLC0415  (a scan without ignores does not need it)

    return ignorefile.read(file)
