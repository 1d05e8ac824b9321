"""keywatch mcp: a server of tools for assistants, over standard input and output."""

import click

from keywatch.cli.common import engine, person, settings


@click.command()
@click.option("--allow-actions", is_flag=True, help="Also tools that act, each in two steps.")
@click.pass_context
def command(ctx: click.Context, allow_actions: bool) -> None:
    """Serve the Model Context Protocol on standard input and output.

    An assistant can look at incidents, alerts, keys, leaks, actions and the policy; no answer
    holds a secret. With --allow-actions it can also propose what to do: it is told what would
    happen and given a code, and only a second call with that code does it.
    """
    from keywatch.assistant import Tools, server
    from keywatch.desk.desk import Desk

    desk = Desk(engine(ctx, create=False), settings(ctx))
    made = server(Tools(desk, f"mcp:{person()}", may_act=allow_actions))

    async def serve() -> None:
        from mcp.server.stdio import stdio_server

        async with stdio_server() as (read, write):
            await made.run(read, write, made.create_initialization_options())

    import anyio

    anyio.run(serve)
