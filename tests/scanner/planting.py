"""Texts planted in files, each in a folder of its own, and how surely each is found."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from scanner.generators import expand
from scanner.options import ScanOptions
from scanner.run import scan
from tests.rulecache import seeded
from vocabulary.finding import Confidence

Cases = Mapping[str, tuple[str, str]]
"""By name: a path, and a template of what the file holds."""


def confidences(factory: pytest.TempPathFactory, cases: Cases) -> dict[str, set[str]]:
    """Scan all cases at once; return the confidences seen in each.

    Args:
        factory: of temporary folders.
        cases: what is planted.
    """
    root = factory.mktemp("tree")
    folders = {name: f"case{number}" for number, name in enumerate(cases)}
    for name, (path, text) in cases.items():
        file = root / folders[name] / path
        file.parent.mkdir(parents=True)
        file.write_text(expand(text, name), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(seeded(factory.mktemp("cache"))))
        result = scan(root, ScanOptions(confidence=Confidence.LOW))
    by_folder: dict[str, set[str]] = {}
    for finding in result:
        for place in finding.places:
            by_folder.setdefault(place.path.split("/")[0], set()).add(finding.confidence)
    return {name: by_folder.get(folder, set()) for name, folder in folders.items()}


class Planted:
    """Tests of what the default leaves out and what it shows; a class of tests names the cases."""

    quiet: ClassVar[Cases]
    shown: ClassVar[Cases]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Let each test run over the cases that it is for."""
        for argument, cases in (("hidden", self.quiet), ("seen", self.shown)):
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, cases)

    @pytest.fixture(scope="class")
    @classmethod
    def found(cls, tmp_path_factory):
        """All cases in one scan: the confidences seen in each."""
        return confidences(tmp_path_factory, {**cls.quiet, **cls.shown})

    def test_it_is_not_shown_by_default(self, found, hidden):
        assert found[hidden] <= {"low"}

    def test_it_is_shown_by_default(self, found, seen):
        assert found[seen] & {"medium", "high"}
