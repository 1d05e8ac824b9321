"""Secrets as people leak them: what they type, what tools write, what they tell in words."""

import pytest

from tests.scanner.planting import confidences

LEAKED = {
    "a name without a sign between": (".github/deploy.yml", "  SSHPASS: {base62:12}\n"),
    "a short name": ("Dockerfile", "ENV ROOT_PW {base62:12}\n"),
    "a variable of fish": ("config.fish", "set -gx GRAFANA_PASS {base62:14}\n"),
    "an option in a list": (
        ".cursor/mcp.json",
        '{ "args": ["-y", "@acme/mcp", "--api-key", "{base62:28}"] }\n',
    ),
    "an aligned salt": ("wp-config.php", "define('AUTH_KEY',         '{password:60}');\n"),
    "a resource of Android": (
        "app/src/main/res/values/strings.xml",
        '<string name="maps_secret_key">{base62:28}</string>\n',
    ),
    "a machine": ("user-data", "chpasswd:\n  list: |\n    root:{base62:12}\n"),
    "a share": ("map.bat", "net use Z: \\\\nas\\share {base62:12} /user:ACME\\svc\n"),
    "a board": ("a.sh", "ipmitool -I lanplus -H 10.0.0.9 -U ADMIN -P {base62:12} power status\n"),
    "an alias": ("a.sh", "mc alias set prod https://s3.acme.io {BASE36:20} {base62:40}\n"),
    "Oracle": ("a.sh", "sqlplus system/{base62:11}@//db:1521/ORCL\n"),
    "Oracle in Java": ("a.properties", "url=jdbc:oracle:thin:shop/{base62:11}@db:1521:XE\n"),
    "Teradata": ("a.bteq", ".LOGON tdprod/etl,{base62:11};\n"),
    "DB2": ("a.txt", "HOSTNAME=db2.acme.io;PORT=50000;UID=db2inst1;PWD={base62:12};\n"),
    "Couchbase": ("a.py", 'PasswordAuthenticator("Administrator", "{base62:12}")\n'),
    "ArangoDB": ("a.js", 'db.useBasicAuth("root", "{base62:12}");\n'),
    "MongoDB's shell": ("a.js", 'db.auth("admin", "{base62:12}")\n'),
    "a comment": ("src/a.py", "# old admin login: admin / a7{base62:9}Q\n"),
    "a reminder": ("src/b.js", "// TODO remove: prod db password is a7{base62:9}Q\n"),
    "a note": ("notes.md", "SSH: root@10.0.0.3 pw a7{base62:9}Q\n"),
    "a history of a shell": (".bash_history", "mysqldump -h db1 -u backup -p{base62:12} shop\n"),
    "a history of another": (".zsh_history", ": 1700000000:0;export DB_PASS={base62:12}\n"),
}
TONGUES = {
    "German": "Kennwort={base62:11}7",
    "French": "motdepasse={base62:11}7",
    "Spanish": 'contraseña = "{base62:11}7"',
    "Portuguese": 'const senha = "{base62:11}7";',
    "Italian": 'parola_chiave = "{base62:11}7"',
    "Polish": "haslo: {base62:11}7",
    "Russian": "пароль: {base62:11}7",
    "Chinese": "用户名: admin 密码: {base62:11}7",
    "Japanese": "パスワード：{base62:11}7",  # noqa: RUF001  (what they type)
    "Korean": "비밀번호: {base62:11}7",
    "Dutch": "wachtwoord = {base62:11}7",
    "Turkish": 'string sifre = "{base62:11}7";',
    "Swedish": "lösenord={base62:11}7",
    "Indonesian": "kata_sandi={base62:11}7",
    "Czech": "heslo={base62:11}7",
    "Vietnamese": 'mat_khau = "{base62:11}7"',
}
NOTHING = {
    "a history of versions": ("docs/history.md", "mysql -u root -p{base62:12} shop\n"),
    "a variable of a shell": ("a.sh", "set -gx GRAFANA_PASS $PASS\n"),
    "a name in a logon": ("a.sh", "sqlplus system/$ORACLE_PWD@//db:1521/ORCL\n"),
    "a rule for passwords": ("a.md", "The password is MandatoryForAll users.\n"),
    "a sentence of a form": ("a.py", "# the password is required\n"),
    "a way": ("a.md", "login: settings / administration\n"),
    "a text of a form": ("a.js", "senha: 'obrigatoria',\n"),
    "code in another language": ("a.php", "$senha = $request['senha'];\n"),
    "a label in another language": ("a.txt", "密码: 请输入密码\n"),
    "an element of a page": ("a.xml", "<publicKeyToken>{hex:16}</publicKeyToken>\n"),
    "an option that asks": ("a.json", '["--api-key", "required"]\n'),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All cases in one scan: the confidences seen in each."""
    spoken = {tongue: ("notes.conf", f"{text}\n") for tongue, text in TONGUES.items()}
    return confidences(tmp_path_factory, {**LEAKED, **spoken, **NOTHING})


@pytest.mark.parametrize("name", [*LEAKED, *TONGUES])
def test_it_is_shown_by_default(found, name):
    assert found[name] & {"medium", "high"}


@pytest.mark.parametrize("name", NOTHING)
def test_it_is_not_shown_by_default(found, name):
    assert found[name] <= {"low"}
