"""A report replaces the old one once it is whole; what is no plain file is written in place."""

import os
import stat
import threading

import pytest

from keywatch.cli.outputs import opened


def written(path, text="new"):
    with opened(str(path)) as file:
        file.write(text)


def fails_halfway(path):
    with opened(str(path)) as file:
        file.write("half of")
        raise KeyError


def test_an_old_report_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o640)
    with opened(str(path)) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_command_that_fails_leaves_the_old_report(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(KeyError):
        fails_halfway(path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_link_stays_a_link(tmp_path):
    path, link = tmp_path / "report.json", tmp_path / "latest"
    path.write_text("old")
    link.symlink_to("report.json")
    written(link)
    assert (link.is_symlink(), path.read_text()) == (True, "new")


def test_a_file_with_a_second_name_keeps_both(tmp_path):
    path, other = tmp_path / "report.json", tmp_path / "other"
    path.write_text("old")
    other.hardlink_to(path)
    written(path)
    assert other.read_text() == "new"


def test_a_file_that_is_held_open_is_the_one_that_is_written(tmp_path):
    path = tmp_path / "report.json"
    with path.open("w+") as held:
        written(f"/dev/fd/{held.fileno()}" if os.path.exists("/dev/fd") else path)  # noqa: PTH110
        assert held.read() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
def test_a_pipe_is_written_into(tmp_path):
    path, got = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: got.append(path.read_text()), daemon=True)
    reader.start()
    written(path)
    reader.join()
    assert got == ["new"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "none" / "report.json"
    with pytest.raises(OSError, match="No such file") as caught:
        written(path)
    assert caught.value.filename == str(path)
