"""Running the migrations; apart because alembic takes long to import."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"


def configuration(engine: Engine, folder: Path = MIGRATIONS) -> Config:
    """Return alembic's configuration for `engine`, without any file; migrations are in `folder`."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes["engine"] = engine
    return config


def run(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`, in one transaction."""
    command.upgrade(configuration(engine), revision)


def back(engine: Engine, revision: str) -> None:
    """Take the database back to `revision`."""
    command.downgrade(configuration(engine), revision)
