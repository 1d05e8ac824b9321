"""The forms of the pages: each is a verb of the desk, for who may, from a page of ours."""

from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse, Response

from keywatch.api.problems import problem_of
from keywatch.console.visit import Visit, within
from keywatch.desk import contract, doing, people
from vocabulary.errors import KeywatchError

Deed = tuple[doing.Verb, Any]

DEEDS: dict[tuple[str, str], Deed] = {
    ("keys", "revoke"): (doing.revoke, contract.Reason),
    ("keys", "restore"): (doing.restore, contract.Force),
    ("keys", "throttle"): (doing.throttle, contract.Throttle),
    ("keys", "suspend"): (doing.suspend, contract.Suspend),
    ("actions", "approve"): (doing.approve, None),
    ("actions", "reject"): (doing.reject, None),
    ("actions", "retry"): (doing.retry, None),
    ("actions", "undo"): (doing.undo, contract.Force),
    ("incidents", "close"): (doing.close, contract.Closing),
    ("incidents", "note"): (doing.note, contract.Note),
    ("users", "role"): (people.set_role, contract.NewRole),
    ("users", "disable"): (people.disable, None),
    ("users", "enable"): (people.enable, None),
    ("tokens", "revoke"): (people.end_token, None),
}
"""(thing, verb) → what does it, and what its form says."""


def carry_out(visit: Visit, form: dict[str, str], thing: str, verb: str) -> Response:
    """Do what a form asks for and go back to where it stood."""
    target = visit.about
    back = within(form.get("back") or f"/{thing}/{quote(target, safe='')}")
    done, kind = DEEDS[thing, verb]
    try:
        wanted = doing.asked(kind, _fields(form)) if kind else None
        result = visit.desk.act(visit.person, done, target, wanted)
    except (msgspec.ValidationError, KeywatchError) as error:
        return _not_done(visit, error, back)
    joined = "&" if "?" in back else "?"
    if result.waits_for:
        return RedirectResponse(f"{back}{joined}said=second", 303)
    word = "noted" if verb == "note" else "done" if result.changed else "same"
    return RedirectResponse(f"{back}{joined}said={word}", 303)


def rotate(visit: Visit, form: dict[str, str]) -> Response:
    """Replace a key and show the new secret, on the answer to this form and never again."""
    back = f"/keys/{quote(visit.about, safe='')}"
    if form.get("sure") != "yes":
        return visit.house.problem(
            400, "Not done", "say that the new secret can be put to use now", visit, back
        )
    try:
        wanted = doing.asked(contract.Rotation, _fields(form))
        new = visit.desk.rotate(visit.person, visit.about, wanted)
    except (msgspec.ValidationError, KeywatchError) as error:
        return _not_done(visit, error, back)
    return visit.show("rotated.html", "The new key", new=new)


def _fields(form: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in form.items() if name not in ("csrf", "back", "sure")}


def _not_done(visit: Visit, error: Exception, back: str) -> Response:
    if isinstance(error, msgspec.ValidationError):
        return visit.house.problem(400, "Not done", str(error), visit, back)
    status, said = problem_of(error)
    return visit.house.problem(status, "Not done", said.error.message, visit, back)
