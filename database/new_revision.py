"""`python -m database.new_revision 0002 "what changes"`: write a migration from the schema."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from database.migrate import MIGRATIONS, configuration


def main(revision: str, message: str, folder: Path = MIGRATIONS) -> None:
    """Compare an upgraded empty database with the schema and write the difference as a file.

    Args:
        revision: its number.
        message: what changes.
        folder: of the migrations that there are, and of the new one.
    """
    with tempfile.TemporaryDirectory() as place:
        config = configuration(create_engine(f"sqlite:///{Path(place) / 'empty.db'}"), folder)
        command.upgrade(config, "head")
        command.revision(config, message, autogenerate=True, rev_id=revision)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
