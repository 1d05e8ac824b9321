"""Running the migrations; apart because alembic takes long to import."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine


def configuration(engine: Engine) -> Config:
    """Return alembic's configuration for `engine`, without any file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = engine
    return config


def run(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`, in one transaction."""
    command.upgrade(configuration(engine), revision)


def back(engine: Engine, revision: str) -> None:
    """Take the database back to `revision`."""
    command.downgrade(configuration(engine), revision)
