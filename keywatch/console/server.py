"""Serving the site: on which address, and by which TLS."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from gateway.server import serve
from keywatch.config import Settings
from keywatch.config_console import ConsoleSettings
from keywatch.console.protection import is_loopback
from keywatch.console.site import site
from keywatch.desk.desk import Desk
from vocabulary.errors import ConfigError


def run(
    settings: Settings, engine: Engine, host: str, port: int, announce: Callable[[str], None]
) -> None:
    """Serve console and API until told to stop.

    Raises:
        ConfigError: when passwords would go over a network in clear.
        ServiceError: when the address is taken.
    """
    console = settings.console
    _refuse_clear(console, host)
    tls = _tls(console)
    serve(site(Desk(engine, settings)), host, port, announce, tls=tls)


def _refuse_clear(console: ConsoleSettings, host: str) -> None:
    secured = console.tls_certificate or console.url.startswith("https://")
    if not (secured or is_loopback(host)):
        raise ConfigError(
            f"{host} is no loopback address, and passwords would cross the network in clear",
            where="console.host",
            remedy="set tls_certificate and tls_key, or url = 'https://…' of the proxy in front",
        )


def _tls(console: ConsoleSettings) -> tuple[str, str] | None:
    if not console.tls_certificate:
        return None
    for name, file in (("tls_certificate", console.tls_certificate), ("tls_key", console.tls_key)):
        if not Path(file).is_file():
            raise ConfigError(
                "there is no such file", where=f"console.{name}", remedy="name a PEM file"
            )
    return console.tls_certificate, console.tls_key
