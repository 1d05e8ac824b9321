import tomllib

import pytest

from keywatch.cli import run
from keywatch.config import Settings, leaves, load, tables
from keywatch.config_text import commented, effective
from vocabulary.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keywatch.toml"
    path.write_text('database = "sqlite:///file.db"\n[gateway]\nport = 1\n')
    return str(path)


def test_flags_win_over_the_environment_and_that_over_the_file(file):
    environ = {"KEYWATCH_GATEWAY_PORT": "2", "KEYWATCH_DATABASE": "sqlite:///env.db"}
    loaded = load(file, environ=environ, flags={"database": "sqlite:///flag.db"})
    assert loaded.settings.database == "sqlite:///flag.db"
    assert loaded.settings.gateway.port == 2
    assert load(file, environ={}).settings.gateway.port == 1
    assert load(None, environ={}).settings == Settings()


def test_show_names_the_source_of_every_value(file):
    loaded = load(file, environ={"KEYWATCH_SCAN_CONFIDENCE": "low"}, flags={})
    sources = {entry: source for entry, _, source in effective(loaded)}
    assert sources["gateway.port"] == f"{file}:3"
    assert sources["scan.confidence"] == "KEYWATCH_SCAN_CONFIDENCE"
    assert sources["gateway.host"] == "default"


def test_show_hides_secrets(tmp_path):
    path = tmp_path / "k.toml"
    path.write_text(
        'database = "postgresql://me:hush1@db/x"\n[[notify]]\ntype = "webhook"\nsecret = "hush2"\n'
        '[repositories]\ngithub_secret = "hush3"\n[keys]\npeppers = { a = "hush4" }\n'
    )
    shown = str(effective(load(str(path), environ={})))
    assert "hush" not in shown


def test_show_hides_what_is_secret_in_addresses(tmp_path):
    path = tmp_path / "k.toml"
    path.write_text(
        'database = "postgresql://db/x?user=me&password=hush1"\n'
        '[[stores]]\nname = "theirs"\ntype = "sql"\nurl = "postgresql://me:hush2@db/y"\n'
        '[[notify]]\ntype = "webhook"\nurl = "https://me:hush3@h.example/x?token=hush4"\n'
    )
    shown = str(effective(load(str(path), environ={})))
    assert "hush" not in shown
    assert "postgresql://me:***@db/y" in shown


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"KEYWATCH_DATABSE": "x"}, "did you mean KEYWATCH_DATABASE"),
        ({"KEYWATCH_GATEWAY_PORT": "many"}, "KEYWATCH_GATEWAY_PORT"),
        ({"KEYWATCH_GATEWAY_PORT": "99999"}, "KEYWATCH_GATEWAY_PORT"),
        ({"KEYWATCH_SCAN_CONFIDENCE": "some"}, "KEYWATCH_SCAN_CONFIDENCE: expected one of low, m"),
        ({"KEYWATCH_ACTIONS_ENABLED": "throttle,revok"}, "KEYWATCH_ACTIONS_ENABLED.* revoke"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(environ, said):
    with pytest.raises(ConfigError, match=said):
        load(None, environ=environ)


def test_certificates_are_refused_until_the_proxys_header_is_named(tmp_path):
    path = tmp_path / "k.toml"
    path.write_text("[gateway]\ncertificates = true\n")
    for source in ({"file": str(path)}, {"environ": {"KEYWATCH_GATEWAY_CERTIFICATES": "true"}}):
        with pytest.raises(ConfigError, match='certificate_header = "x-ssl-client-cert"'):
            load(**{"file": None, "environ": {}, **source})
    path.write_text('[gateway]\ncertificate_header = "x-client"\n')
    with pytest.raises(ConfigError, match="certificate_header"):
        load(str(path), environ={})


def test_lists_come_from_the_environment_by_commas():
    loaded = load(None, environ={"KEYWATCH_ACTIONS_ENABLED": "throttle, revoke"})
    assert loaded.settings.actions.enabled == ("throttle", "revoke")


def test_the_commented_file_holds_every_entry_and_is_the_default_when_uncommented(tmp_path):
    lines = commented().splitlines()
    entries = [line[2:] for line in lines if line.startswith("# ") and " = " in line]
    assert len(entries) >= len([leaf for leaf in leaves() if tables(leaf.type) is None])
    path = tmp_path / "keywatch.toml"
    path.write_text(commented())
    assert load(str(path), environ={}).settings == Settings()
    text = "\n".join(
        line.removeprefix("# ") if " = " in line or line.startswith("# [[") else line
        for line in lines
    )
    assert set(tomllib.loads(text)) == set(Settings.__struct_fields__)


def test_init_never_overwrites(tmp_path, capsys):
    path = tmp_path / "keywatch.toml"
    path.write_text("mine")
    assert run(["config", "init", str(path)]) == 2
    assert path.read_text() == "mine"
    assert "the file is there already" in capsys.readouterr().err


def test_a_wrong_file_is_one_line_and_exit_2(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keywatch.toml").write_text("[gatway]\n")
    assert run(["config", "show"]) == 2
    said = capsys.readouterr().err
    assert (
        said == "keywatch: keywatch.toml:1: there is no entry `gatway` (did you mean `gateway`?)\n"
    )


def test_the_path_that_lets_somebody_post_is_hidden(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hidden = "T0" + "aB1" * 7
    (tmp_path / "keywatch.toml").write_text(
        f'[[notify]]\nname = "a"\ntype = "webhook"\nurl = "https://chat.example/hooks/{hidden}"\n'
        f'[[stores]]\nname = "b"\ntype = "http"\nurl = "https://hooks.slack.com/services/{hidden}"\n'
    )
    for more in ([], ["--json"]):
        assert run(["config", "show", *more]) == 0
        said = capsys.readouterr().out
        assert hidden not in said.replace("\n", "").replace(" ", "")
    assert "https://chat.example/hooks/***" in said
