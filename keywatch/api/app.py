"""The API as an application: token, scope, parameters, body, answer."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from database.transaction import reading, transaction
from keywatch.api.openapi import document
from keywatch.api.operation import Asked, Operation
from keywatch.api.operations import OPERATIONS
from keywatch.api.problems import RefusedError, problem, problem_of
from keywatch.desk.desk import Desk
from keywatch.people import tokens
from keywatch.people.roles import Person
from vocabulary.errors import KeywatchError

MAX_BODY_BYTES = 64 * 1024
_ID = 256
_CODES = {404: "not_found", 405: "method_not_allowed"}


def api(desk: Desk) -> Starlette:
    """Return the application that is mounted at /api/v1."""
    text = msgspec.json.format(msgspec.json.encode(document(OPERATIONS)), indent=1)

    async def described(request: Request) -> Response:
        del request
        return Response(text, media_type="application/json")

    routes = [Route(one.path, _endpoint(desk, one), methods=[one.method]) for one in OPERATIONS]
    return Starlette(
        routes=[Route("/openapi.json", described), *routes],
        exception_handlers={HTTPException: _no_such_path},
    )


def mounted(desk: Desk) -> Mount:
    """Return the application where it is reached."""
    mount = Mount("/api/v1", api(desk))
    # Starlette's own pattern stops at a line feed, and such a path would be nobody's.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount


def _endpoint(desk: Desk, one: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            person = await run_in_threadpool(holder, desk, request)
            if not person.may(one.scope):
                raise RefusedError(403, "forbidden", f"this token lacks the scope {one.scope}")  # noqa: TRY301
            asked = Asked(
                desk, person, _target(request), _query(request, one), await _body(request, one)
            )
            return _json(await run_in_threadpool(one.answered, asked))
        except RefusedError as error:
            return _refusal(error.status, error.code, str(error))
        except KeywatchError as error:
            status, body = problem_of(error)
            return _json(body, status)

    return endpoint


def holder(desk: Desk, request: Request) -> Person:
    """Return who carries the request's token; a cookie of the console counts for nothing here.

    Raises:
        RefusedError: when nobody does.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    now = desk.clock()
    found = None
    if scheme.lower() == "bearer" and secret.strip().startswith(tokens.PREFIX):
        with reading(desk.engine) as connection:
            found = tokens.find(connection, secret.strip(), now)
    if found is None:
        raise RefusedError(401, "unauthorized", "no valid token (make one: keywatch tokens create)")
    token, person = found
    if tokens.is_stale(token, now):
        with transaction(desk.engine) as connection:
            tokens.touch(connection, token, now)
    return person


def _target(request: Request) -> str:
    target = str(request.path_params.get("id", ""))
    if len(target) > _ID or "\0" in target:
        raise RefusedError(404, "not_found", "there is nothing of this name")
    return target


def _query(request: Request, one: Operation) -> Any:  # noqa: ANN401
    pairs = request.query_params.multi_items()
    if len({name for name, _ in pairs}) < len(pairs):
        raise RefusedError(400, "bad_request", "a parameter is given twice")
    if any("\0" in value for _, value in pairs):
        raise RefusedError(400, "bad_request", "a parameter holds a NUL")
    try:
        return msgspec.convert(dict(pairs), one.query, strict=False)
    except msgspec.ValidationError as error:
        raise RefusedError(400, "bad_request", str(error)) from None


async def _body(request: Request, one: Operation) -> Any:  # noqa: ANN401
    read = b""
    async for part in request.stream():
        read += part
        if len(read) > MAX_BODY_BYTES:
            raise RefusedError(413, "too_large", f"a body has at most {MAX_BODY_BYTES} bytes")
    if one.body is None:
        return None
    try:
        return msgspec.json.decode(read or b"{}", type=one.body)
    except msgspec.DecodeError as error:  # a ValidationError is one
        raise RefusedError(400, "bad_request", str(error)) from None


def _json(value: object, status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    if status == 401:  # noqa: PLR2004
        headers["www-authenticate"] = "Bearer"
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def _refusal(status: int, code: str, message: str) -> Response:
    return _json(problem(code, message), status)


async def _no_such_path(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    answer = _refusal(error.status_code, _CODES.get(error.status_code, "refused"), error.detail)
    answer.headers.update(error.headers or {})
    return answer
