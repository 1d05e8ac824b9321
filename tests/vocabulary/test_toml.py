from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary import toml
from vocabulary.errors import ConfigError


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    colour: str = "red"
    weight: int = 1
    shape: Annotated[str, msgspec.Meta(pattern="^(|round|flat)$")] = ""


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    inner: Inner = Inner()
    rows: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('nam = "x"', "f.toml:1: there is no entry `nam` (did you mean `name`?)"),
        (
            '\n[inner]\ncolor = "x"',
            "f.toml:3: there is no entry `inner.color` (did you mean `colour`?)",
        ),
        (
            '[[rows]]\n[[rows]]\n\nweight = "heavy"',
            "f.toml:4: `rows[1].weight`: expected `int`, got `str`",
        ),
        (
            "[inner]\nzzz = 1",
            "f.toml:2: there is no entry `inner.zzz` (valid here: colour, weight, shape)",
        ),
        (
            "[[rows]]\nweight = 1\n[[rows]]\nwieght = 2",
            "f.toml:4: there is no entry `rows[1].wieght` (did you mean `weight`?)",
        ),
        (
            "rows = [{ weight = 1 }, { zzz = 1 }]",
            "f.toml:1: there is no entry `rows[1].zzz` (valid here: colour, weight, shape)",
        ),
        ('\n"nam" = 1', "f.toml:2: there is no entry `nam` (did you mean `name`?)"),
        (
            "\n\n'q.r' = 3",
            "f.toml:3: there is no entry `q.r` (valid here: name, inner, rows)",
        ),
        (
            '\ninner . "\\u0063olor" = 1',
            "f.toml:2: there is no entry `inner.color` (did you mean `colour`?)",
        ),
        (
            "name = '''\n\"\\q\" = 1'''\n'z' = 1",
            "f.toml:3: there is no entry `z` (valid here: name, inner, rows)",
        ),
        ("name = 1", "f.toml:1: `name`: expected `str`, got `int`"),
        (
            "\n[inner]\nshape = 'rond'",
            "f.toml:3: `inner.shape`: expected one of nothing, round, flat",
        ),
    ],
)
def test_a_wrong_entry_is_refused_with_its_line_and_the_nearest_name(text, said):
    with pytest.raises(ConfigError) as refused:
        toml.parse(text, Outer, "f.toml")
    assert str(refused.value) == said


def test_text_that_is_not_toml_is_refused_with_its_line():
    with pytest.raises(ConfigError, match=r"^f\.toml:2: this is not TOML"):
        toml.parse('name = "x"\n= 3\n', Outer, "f.toml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file"):
        toml.read(tmp_path / "nowhere.toml", Outer)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(ConfigError, match=r"latin\.toml: this is not UTF-8"):
        toml.read(tmp_path / "latin.toml", Outer)


@given(st.text())
def test_any_text_is_read_or_refused_and_never_anything_else(text):
    try:
        where = f"f:{toml.parse(text, Outer, 'f').name}"
    except ConfigError as refused:
        where = refused.where
    assert where.startswith("f:")
