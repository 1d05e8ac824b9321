"""Held to the command line that there is: words that files and pages tell people to type."""

import click

from keywatch.cli import keywatch


def refuse_unknown(words):
    """Fail when the command line does not know these words; nothing is run."""
    command, rest, context = keywatch, list(words), None
    while True:
        try:
            context = command.make_context(command.name or "keywatch", rest, parent=context)
        except click.MissingParameter:
            raise
        except click.BadParameter as wrong:
            # a file that is not here, or a word that stands for what people have
            if isinstance(getattr(wrong.param, "type", None), click.Choice):
                raise
            return
        if not isinstance(command, click.Group):
            return
        name, command, rest = _next(command, context)
        assert command, name


def _next(group, context):
    # what a group has not parsed: click calls its own entry for it deprecated, and has no other
    return group.resolve_command(context, [*context._protected_args, *context.args])
