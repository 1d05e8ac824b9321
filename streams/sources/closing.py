"""What every source does as a context manager."""

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """A source that closes itself when its block ends."""

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""
