"""Names of executors in leases, and which of them are gone: nobody need wait for their leases."""

import os
import secrets
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def new_owner() -> str:
    """Return a name that no other executor has, of this process."""
    return f"{_place()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_gone(owner: str) -> bool:
    """Say whether the process of that name is known to have ended; not of other machines'."""
    place, _, rest = owner.partition("-")
    pid = rest.partition("-")[0]
    if not place or place != _place() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@cache
def _place() -> str:
    """Return what has numbers of processes of its own: a boot of a machine, and a container in it.

    Empty where that cannot be told (https://man7.org/linux/man-pages/man7/pid_namespaces.7.html).
    """
    with suppress(OSError):
        told = f"{_BOOT.read_text()}{_NAMESPACE.readlink()}"
        return blake2b(told.encode(), digest_size=6).hexdigest()
    return ""
