"""`python -m database.new_revision 0002 "what changes"`: write a migration from the schema."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from database.migrate import configuration, run


def main(revision: str, message: str) -> None:
    """Compare an upgraded empty database with the schema and write the difference as a file."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'empty.db'}")
        versions = Path(__file__).parent / "migrations" / "versions"
        if any(versions.glob("*.py")):
            run(engine)
        command.revision(configuration(engine), message, autogenerate=True, rev_id=revision)


if __name__ == "__main__":
    main(*sys.argv[1:])
