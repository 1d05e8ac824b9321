"""The forms of the pages: each is a verb of the desk, for who may, from a page of ours."""

from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse, Response

from keywatch.api.problems import problem_of
from keywatch.console.visit import Visit, within
from keywatch.desk import contract, doing
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
}
"""(thing, verb) → what does it, and what its form says."""


def carry_out(visit: Visit, form: dict[str, str], thing: str, verb: str) -> Response:
    """Do what a form asks for and go back to where it stood."""
    target = visit.about
    back = within(form.get("back") or f"/{thing}/{quote(target, safe='')}")
    done, kind = DEEDS[thing, verb]
    fields = {name: value for name, value in form.items() if name not in ("csrf", "back")}
    try:
        wanted = doing.asked(kind, fields) if kind else None
        result = visit.desk.act(visit.person, done, target, wanted)
    except msgspec.ValidationError as error:
        return visit.house.problem(400, "Not done", str(error), visit, back)
    except KeywatchError as error:
        status, said = problem_of(error)
        return visit.house.problem(status, "Not done", said.error.message, visit, back)
    if result.waits_for:
        return RedirectResponse(f"{back}{'&' if '?' in back else '?'}said=second", 303)
    word = "noted" if verb == "note" else "done" if result.changed else "same"
    joined = "&" if "?" in back else "?"
    return RedirectResponse(f"{back}{joined}said={word}", 303)
