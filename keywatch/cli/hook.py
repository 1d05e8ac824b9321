"""`keywatch hook`: refuse commits and pushes that would bring a secret in."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keywatch.cli.common import Group
from vocabulary.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanner.hooks import Update
    from scanner.options import ScanOptions
    from scanner.run import Report
    from scanner.sources.gitrun import Repository
    from vocabulary.credential import Lookup

KINDS = ("pre-commit", "commit-msg", "pre-push", "pre-receive")

_kinds_argument = click.argument("kinds", nargs=-1, type=click.Choice(KINDS))
_repository_option = click.option(
    "--repository", type=click.Path(path_type=Path), default=".", help="Default: this directory."
)
_folder_option = click.option(
    "--hooks",
    "folder",
    type=click.Path(path_type=Path),
    help="Where hooks are, if git is not asked.",
)

_incomplete_option = click.option(
    "--allow-incomplete", is_flag=True, help="Warn only of what could not be scanned."
)
_marks_option = click.option(
    "--no-inline-ignores", is_flag=True, help="Marks in the text hide nothing."
)


@click.group("hook", cls=Group)
def command() -> None:
    """Refuse commits and pushes that would bring a secret in.

    pre-commit, commit-msg and pre-push run where people work; pre-receive runs in the repository
    that is pushed to, and nobody can skip it.
    """


@command.command()
@_kinds_argument
@_repository_option
@_folder_option
@click.option("--chain", is_flag=True, help="Keep a hook that is there, and run it first.")
@_incomplete_option
@_marks_option
@click.pass_context
def install(
    ctx: click.Context,
    kinds: "tuple[str, ...]",
    repository: Path,
    folder: Path | None,
    chain: bool,
    allow_incomplete: bool,
    no_inline_ignores: bool,
) -> None:
    """Put hooks in; pre-commit if none is named.

    What --config and --database say now is what the hooks go by.
    """
    from scanner import hookfile

    place = folder or hookfile.folder_of(repository)
    for kind in kinds or KINDS[:1]:
        words = [*_started_as(ctx), "hook", "run", kind]
        words += ["--allow-incomplete"] if allow_incomplete else []
        words += ["--no-inline-ignores"] if no_inline_ignores else []
        text = hookfile.script(kind, sys.executable, words)
        click.echo(f"{hookfile.install(place, kind, text, chain=chain)} is in place")


def _started_as(ctx: click.Context) -> list[str]:
    """Return how keywatch is started the same way from another directory."""
    root = ctx.find_root().obj
    # -E and -P: neither the environment nor the directory chooses the code that runs
    words = ["-E", "-P", "-m", "keywatch"]
    if root["config_file"]:
        words += ["--config", str(Path(root["config_file"]).absolute())]
    if database := root["flags"].get("database"):
        words += ["--database", _absolute(database)]
    return words


_SQLITE = "sqlite:///"


def _absolute(database: str) -> str:
    """Return the URL of a database, for use from another directory."""
    if not database.startswith(_SQLITE):
        return database
    file, mark, query = database.removeprefix(_SQLITE).partition("?")
    return f"{_SQLITE}{Path(file).absolute()}{mark}{query}"


@command.command()
@_kinds_argument
@_repository_option
@_folder_option
def uninstall(kinds: "tuple[str, ...]", repository: Path, folder: Path | None) -> None:
    """Take hooks out, all of keywatch's if none is named; one that they ran first comes back."""
    from scanner import hookfile

    place = folder or hookfile.folder_of(repository)
    gone = [kind for kind in kinds or KINDS if hookfile.uninstall(place, kind)]
    if kinds and (others := sorted(set(kinds) - set(gone))):
        raise UsageError(f"no {others[0]} hook of keywatch is there", where=str(place))
    click.echo(f"took out {', '.join(gone)}" if gone else "there was none")


@command.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("arguments", nargs=-1)
@_incomplete_option
@_marks_option
@click.pass_context
def run(
    ctx: click.Context,
    kind: str,
    arguments: "tuple[str, ...]",
    allow_incomplete: bool,
    no_inline_ignores: bool,
) -> int:
    """Do what a hook does, in a repository's directory; git gives the arguments."""
    from msgspec.structs import replace

    from keywatch import scanning
    from keywatch.wiring import scan_options
    from scanner.sources import gitrun

    repository = gitrun.find(Path())
    if repository is None:
        raise UsageError("a hook runs in the root of a git repository", where=str(Path.cwd()))
    root = ctx.find_root().obj
    config, notes = scanning.settings_for(root["config_file"], root["flags"], ".")
    lookup = scanning.lookup_of(config)
    options = replace(scan_options(config), inline_ignores=not no_inline_ignores)
    report = _scanned(kind, repository, arguments, options, lookup)
    report.receipt.warnings += notes
    return scanning.answer_hook(
        report,
        kind,
        sys.stderr,
        allow_incomplete=allow_incomplete,
        marks=options.inline_ignores,
    )


def _scanned(
    kind: str,
    repository: "Repository",
    arguments: "Sequence[str]",
    options: "ScanOptions",
    lookup: "Lookup | None",
) -> "Report":
    import os

    from scanner import hooks

    if kind == "pre-commit":
        return hooks.pre_commit(repository, os.environ, options, lookup)
    if kind == "commit-msg":
        if len(arguments) != 1:
            raise UsageError("commit-msg takes the file with the message")
        return hooks.commit_msg(repository, Path(arguments[0]), options, lookup)
    if kind == "pre-push":
        remote = arguments[0] if arguments else os.environ.get("PRE_COMMIT_REMOTE_NAME", "")
        return hooks.pre_push(repository, _pushed(repository), remote, options, lookup)
    return hooks.pre_receive(repository, hooks.received(_lines()), os.environ, options, lookup)


def _lines() -> list[str]:
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines()


def _pushed(repository: "Repository") -> "list[Update]":
    """Return what is pushed: git tells it on stdin, the pre-commit framework in the environment."""
    import os

    from scanner import hooks, views

    if os.environ.get("PRE_COMMIT") != "1":
        return hooks.pushed(_lines())
    new = os.environ.get("PRE_COMMIT_TO_REF") or views.head_of(repository)
    return [hooks.Update(new, os.environ.get("PRE_COMMIT_FROM_REF", ""))]
