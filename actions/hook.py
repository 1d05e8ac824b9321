"""The user's own say in a decision: a Python function, named in the configuration.

    def decide(alert, key, decision):
        if key is not None and key.owner == "pay" and decision.action == "revoke":
            return msgspec.structs.replace(decision, action=ActionKind.SUSPEND, duration_s=3600.0)
        return None

It gets the alert, what the key store knows of the key (or None) and what the policy decided, and
returns another decision, or None. Guards, caps and the breaker come after it.
"""

from collections.abc import Callable
from pathlib import Path
from runpy import run_path

from msgspec.structs import replace

from vocabulary.action import ActionKind, Decision
from vocabulary.alert import Alert
from vocabulary.credential import KnownKey
from vocabulary.errors import ConfigError

Hook = Callable[[Alert, KnownKey | None, Decision], Decision | None]

_SETTING = "actions.hook"
_WITH_DURATION = (ActionKind.ROTATE, ActionKind.REISSUE)


def load(named: str) -> Hook | None:
    """Return the function of `file.py:function`; None for an empty name.

    Raises:
        ConfigError: when there is no such file or function, or the file fails.
    """
    if not named:
        return None
    file, _, name = named.rpartition(":")
    if not file or not Path(file).is_file():
        raise ConfigError(
            f"there is no such file: {file or named}", where=_SETTING, remedy="file.py:function"
        )
    try:
        found = run_path(file).get(name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{file} fails when it is loaded: {reason}", where=_SETTING) from error
    if not callable(found):
        raise ConfigError(f"{file} has no function `{name}`", where=_SETTING)
    return _Named(found, f"{file}:{name}")


class _Named:
    """A hook that knows what it is called."""

    def __init__(self, function: Hook, name: str) -> None:
        self._function, self.name = function, name

    def __call__(self, alert: Alert, key: KnownKey | None, decision: Decision) -> Decision | None:
        return self._function(alert, key, decision)


def consulted(hook: Hook, alert: Alert, key: KnownKey | None, wanted: Decision) -> Decision:
    """Return what the hook decides; where it fails or says what cannot be, the policy's word holds.

    Args:
        hook: see the module.
        alert: what happened.
        key: what the key store knows of it.
        wanted: what the policy decided.
    """
    name = getattr(hook, "name", "hook")
    try:
        said = hook(alert, key, wanted)
    except Exception as error:  # noqa: BLE001  (a defect of the user's must not stop the pipeline)
        return replace(wanted, guard=f"{name} failed: {type(error).__name__}")
    if said is None:
        return wanted
    if problem := _problem(said):
        return replace(wanted, guard=f"{name} was not heeded: {problem}")
    return replace(said, line=f"{name} after {wanted.line}", policy=wanted.policy)


def _problem(said: object) -> str:
    if not isinstance(said, Decision) or not isinstance(said.action, ActionKind):
        return "it returned no decision"
    if said.action is ActionKind.THROTTLE and said.rate_per_min < 1:
        return "a throttle needs `rate_per_min`"
    if said.action in _WITH_DURATION and said.duration_s <= 0:
        return f"`{said.action}` needs `duration_s`"
    if said.then is not ActionKind.NONE and said.then_after_s <= 0:
        return "`then` needs `then_after_s`"
    return ""
