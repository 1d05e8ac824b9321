"""keywatch completion: what makes a shell complete commands and options."""

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL.

    bash: eval "$(keywatch completion bash)" in ~/.bashrc; zsh likewise in ~/.zshrc; fish:
    keywatch completion fish > ~/.config/fish/completions/keywatch.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    root = ctx.find_root().command
    click.echo(found(root, {}, "keywatch", "_KEYWATCH_COMPLETE").source())
