"""Tables for people: in a pipe, on a wide terminal and on a narrow one."""

import pytest

from keywatch.cli.common import print_table

COLUMNS = ("ALERT", "TIME", "SUMMARY")
ROWS = [
    ("alr_1", "2026-11-28T12:42:29.927Z", "requests from a network that it never used " * 3),
    ("alr_2", "2026-11-28T12:43:00.000Z", "[bold]a\x1b[31m name"),
]


@pytest.fixture
def screen(monkeypatch):
    def of(width):
        for name in ("COLUMNS", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NO_COLOR", "1")
        if width:
            monkeypatch.setenv("FORCE_COLOR", "1")  # for rich, a terminal
            monkeypatch.setenv("COLUMNS", str(width))

    return of


def printed(capsys):
    print_table(COLUMNS, ROWS)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_in_a_pipe_each_row_is_a_line(screen, capsys):
    screen(0)
    head, first, second = printed(capsys)
    assert head.split() == list(COLUMNS)
    assert first.split(maxsplit=2) == [*ROWS[0][:2], ROWS[0][2].strip()]
    assert second.endswith("[bold]a\\x1b[31m name")


def test_a_wide_terminal_folds_what_is_long(screen, capsys):
    screen(80)
    lines = printed(capsys)
    assert len(lines) > 3
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("alr_1  2026-11-28T12:42:29.927Z  requests")


def test_a_narrow_terminal_shows_each_row_as_a_block(screen, capsys):
    screen(44)
    lines = printed(capsys)
    assert lines[:2] == ["ALERT    alr_1", "TIME     2026-11-28T12:42:29.927Z"]
    assert max(map(len, lines)) <= 44
    assert "ALERT    alr_2" in lines


def test_a_table_of_two_columns_stays_one_however_narrow(screen, capsys):
    screen(20)
    print_table(("field", "value"), [("alr_1", "a value that is much too long")])
    assert capsys.readouterr().out.split()[:2] == ["field", "value"]
