"""Whether what keywatch stands on may be given away with it: licences of the installed packages.

    .venv/bin/python deploy/licences.py           # table of what an installation with all extras holds
    .venv/bin/python deploy/licences.py --check   # nothing but what is not allowed; exit 1 for any

Read from the packages' own metadata (PEP 639's expression, else classifiers, else the old field).
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ALLOWED = frozenset(
    """0BSD Apache-2.0 BSD BSD-2-Clause BSD-3-Clause BlueOak-1.0.0 CC0-1.0 HPND ISC LGPL-2.0-or-later
    LGPL-3.0-only LGPL-3.0-or-later MIT MIT-0 MPL-2.0 PSF-2.0 Python-2.0 Unlicense Zlib""".split()
)
"""SPDX ids whose terms an Apache-2.0 program keeps by naming them; LGPL: as separate packages."""

_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
_FIELD = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd": "BSD",
    "bsd-3-clause": "BSD-3-Clause",
    "isc": "ISC",
    "mit": "MIT",
    "mit license": "MIT",
    "mpl-2.0": "MPL-2.0",
}


def closure(name: str) -> Iterator[Distribution]:
    """Yield what an installation of a package with all its extras holds, beside itself."""
    waiting = [(name, extra) for extra in _extras(name)]
    seen = set(waiting)
    found: dict[str, Distribution] = {}
    while waiting:
        one, extra = waiting.pop()
        try:
            known = distribution(one)
        except PackageNotFoundError:
            continue  # of another platform, or an extra that is not in the lock
        found[canonicalize_name(one)] = known
        for text in known.requires or ():
            needed = Requirement(text)
            if needed.marker is not None and not needed.marker.evaluate({"extra": extra}):
                continue
            for more in ("", *needed.extras):
                step = (canonicalize_name(needed.name), more)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
    found.pop(canonicalize_name(name))
    yield from (found[one] for one in sorted(found))


def licence_of(known: Distribution) -> str:
    """Return the SPDX expression of a package's licence; empty when it says nothing we know."""
    if said := known.metadata.get("License-Expression"):
        return said
    trove = [
        _CLASSIFIERS.get(one.rpartition(" :: ")[2], one.rpartition(" :: ")[2])
        for one in known.metadata.get_all("Classifier") or ()
        if one.startswith("License :: ") and one != "License :: OSI Approved"
    ]
    if trove:
        return " AND ".join(sorted(set(trove)))
    field = (known.metadata.get("License") or "").strip()
    return _FIELD.get(field.lower(), field.splitlines()[0][:60] if field else "")


def is_allowed(expression: str) -> bool:
    """Whether one of the choices that an expression gives asks for allowed licences alone."""
    choices = re.split(r"\s+OR\s+", expression.replace("(", " ").replace(")", " ").strip())
    return any(
        all(part.strip() in ALLOWED for part in re.split(r"\s+AND\s+", choice))
        for choice in choices
        if choice
    )


def _extras(name: str) -> list[str]:
    return ["", *(distribution(name).metadata.get_all("Provides-Extra") or ())]


def main() -> int:
    """Print the table, or what is not allowed."""
    rows = [(one.metadata["Name"], one.version, licence_of(one)) for one in closure("keywatch")]
    wrong = [row for row in rows if not is_allowed(row[2])]
    for name, version, licence in wrong if "--check" in sys.argv else rows:
        print(f"{name} {version}: {licence or 'says nothing'}")
    if wrong:
        print(f"{len(wrong)} of {len(rows)} packages have licences that are not allowed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
