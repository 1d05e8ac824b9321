"""`keywatch demo`: the tour."""

import click

from keywatch.cli.common import console, json_option, print_json, printable


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Take a tour: a leaked key found and locked out, a stolen one noticed and stopped.

    It plays in a temporary folder, with the real commands and servers on the loopback address.
    """
    from keywatch.demo.stage import stage
    from keywatch.demo.tour import Tour

    scenes = iter(range(1, 100))

    def tell(title: str, lines: list[str]) -> None:
        if as_json:
            return
        console().print(f"{next(scenes)}. {title}", style="bold")
        for line in lines:
            click.echo(f"   {printable(line)}")

    with stage() as place:
        result = Tour(place, tell).run()
    if as_json:
        print_json(result)
