"""Verbs that a key and an account have in common: one maker a command, for both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import person
from keywatch.cli.granting import acting, until_of, until_option

if TYPE_CHECKING:
    from keystore.store import KeyStore


@dataclass(frozen=True, slots=True)
class Subject:
    """What the verbs are done to.

    Attributes:
        metavar: what its id is called in help.
        open_store: the key store of this run.
        verbs: whose methods they are, in a store.
        tell: prints how the subject stands now, for people or as JSON.
    """

    metavar: str
    open_store: Callable[[click.Context], "KeyStore"]
    verbs: Callable[["KeyStore"], Any]
    tell: Callable[["KeyStore", Any, bool], None]


def plain(subject: Subject, verb: str, says: str) -> click.Command:
    """Make the command of a verb that needs to know nothing more."""

    @click.command(verb, help=says)
    @click.argument("subject_id", metavar=subject.metavar)
    @acting
    @click.pass_context
    def command(
        ctx: click.Context, subject_id: str, actor: str, reason: str, as_json: bool
    ) -> None:
        store = subject.open_store(ctx)
        done = getattr(subject.verbs(store), verb)(subject_id, actor=person(actor), reason=reason)
        subject.tell(store, done, as_json)

    return command


def throttle(subject: Subject, says: str) -> click.Command:
    """Make the command that lets only so many requests a minute through."""

    @click.command("throttle", help=says)
    @click.argument("subject_id", metavar=subject.metavar)
    @click.option("--per-min", required=True, type=click.IntRange(1), help="Requests a minute.")
    @until_option
    @acting
    @click.pass_context
    def command(
        ctx: click.Context,
        subject_id: str,
        per_min: int,
        until: str,
        actor: str,
        reason: str,
        as_json: bool,
    ) -> None:
        store = subject.open_store(ctx)
        end, who = until_of(until, store.clock()), person(actor)
        done = subject.verbs(store).throttle(
            subject_id, per_min=per_min, until=end, actor=who, reason=reason
        )
        subject.tell(store, done, as_json)

    return command


def suspend(subject: Subject, says: str) -> click.Command:
    """Make the command that lets nothing through."""

    @click.command("suspend", help=says)
    @click.argument("subject_id", metavar=subject.metavar)
    @until_option
    @acting
    @click.pass_context
    def command(
        ctx: click.Context, subject_id: str, until: str, actor: str, reason: str, as_json: bool
    ) -> None:
        store = subject.open_store(ctx)
        end, who = until_of(until, store.clock()), person(actor)
        done = subject.verbs(store).suspend(subject_id, until=end, actor=who, reason=reason)
        subject.tell(store, done, as_json)

    return command
