"""What the default leaves out by what stands around a value, and what stays shown beside it."""

from base64 import b64encode

import pytest

from scanner.generators import expand
from scanner.options import ScanOptions
from scanner.run import scan
from tests.rulecache import seeded
from vocabulary.finding import Confidence

QUIET = {
    "a flag": ("src/a.go", 'err = errors.New("give it by the --password flag")\n'),
    "an option that a message names": (
        "src/a.go",
        "const e = \"file: password: option 'algorithm' must be one of them\"\n",
    ),
    "a salt that a message names": (
        "src/a.go",
        "const e = \"password hash key '{base62:16}' is not the last parameter\"\n",
    ),
    "the salt of a hash": ("src/a.ts", "return hash.ssha512('password', '{base62:16}')\n"),
    "a member of a package": ("a.json", '"Secret": "oidc.EncryptionAlgAcme",\n'),
    "a file": ("a.json", '"Secret": "rsa.2048.pkcs8.pem",\n'),
    "an end of a name": ("src/a.go", 'name: prefixPassword + ".pbkdf2.variant",\n'),
    "a port": ("a.feature", 'Then I see "https://auth.acme.local:8080/secondfactor"\n'),
    "a UUID of a test": ("tests/a.go", 'x(ctx, accessToken, "{uuid}")\n'),
    "words for a password": ("config.yml", "password: yourpassword\n"),
    "words for a new password": ("config.py", 'new_password="newpassword123"\n'),
    "words in a statement": ("a.sql", "CREATE USER 'dba' IDENTIFIED BY 'strongpassword';\n"),
    "words in an address": ("a.py", 'x("sqlite+cipher://:passphrase@/file")\n'),
    "what asks to be changed": (".env", "MSSQL_PASSWORD=Changethis1!\n"),
    "an example of a login": (
        "src/a.py",
        f'h = "Basic {b64encode(b"client_id:client_secret").decode()}"\n',
    ),
    "a rule of validation": ("src/a.php", "'user:password' => 'nullable',\n"),
    "a variable": ("public/a.js", "var parse_Password=parseuint16;\n"),
    "a constant that is appended": ("src/a.py", "password += BNULL\n"),
    "a symbol": ("src/a.py", '    "passwd:gecos",\n'),
    "a union of types": ("src/a.ts", "useState<'profile' | 'password' | 'appearance'>();\n"),
    "a role of a text": ("src/a.py", "Arguments to pass to :py:meth:`parseconfigure`.\n"),
    "a map in brackets": ("src/a.py", "you can pass a namespace map (``nsmap``)\n"),
    "another key": ("a.toml", '{ name = "pwdlib", extra = ["argonaut"] },\n'),
    "an example in words": ("src/a.py", '# name of *passhash* (e.g. "acme_pbkdf")\n'),
    "a token of a form": ("a.json", '"session":{"_token":"{base62:40}","url":"x"}\n'),
    "a number of code": ("src/A.cs", "public const int avd_hide_password = 2130837588;\n"),
    "an element of an array": ("src/a.c", "    password = argv[i+1];\n"),
    "a library": ("a.dir/build.make", "src/app_passwd: /usr/lib64/libssl.so\n"),
    "a class of a field": ("a.html.erb", "<%= f.password_field :password, :class => 'span4' %>\n"),
    "markup": ("a.js", "x('<li class=\"test pass pending\"><h2>%e</h2></li>', title);\n"),
    "words for a password of a server": (
        "pom.xml",
        "<username>ada</username>\n<password>password</password>\n",
    ),
    "what a call is to do": ("src/a.php", "$done = reset_password('issue', $user);\n"),
    "what is asked of a name": ("src/b.php", "$is_app_passwd = 'smtpd';\n"),
    "an element of a row": ("src/a.pl", "$password1 = @$row[5];\n"),
    "an entry that is off": ("src/c.php", "'changePassword' => ['supported' => false],\n"),
    "a range of versions": ("a.lock.toml", 'pyjwt = ">=2.10.1,<3.0.0"\n'),
    "an attribute": ("a.html", 'Change password <b class="caret"></b>\n'),
    "a selector": ("src/d.js", "passwd = $('#loginpwd');\n"),
    "what is encrypted": ("src/a.kt", 'encryptedMetadataKey = "{base64:40}"\n'),
    "a text of a language": (
        "localization/ca_ES/labels.inc",
        "$labels['password']  = 'Contrasenya';\n",
    ),
    "a report of a scanner": (".gitleaks-baseline.json", '"Secret": "{base62:24}",\n'),
}
SHOWN = {
    "an option": ("a.sh", "tool --user ada --password '{base62:16}'\n"),
    "a named argument of a hash": ("src/a.py", 'x = make_hash(salt, password="{base62:20}")\n'),
    "a value with dots": ("a.json", '"Secret": "{base62:12}.{base62:16}",\n'),
    "a password at a port": ("a.py", 'x("redis://app:{base62:12}@cache.acme.internal:6379")\n'),
    "a UUID in a configuration": ("app.env", "API_KEY={uuid}\n"),
    "a weak password": (".env", "POSTGRES_PASSWORD=postgres731\n"),
    "a password that changes": (".env", "ADMIN_PASSWORD=changeling{digits:3}\n"),
    "a login": ("src/a.py", 'h = "Basic {basic:deploy}"\n'),
    "a default in a statement": ("a.sql", "CREATE USER app IDENTIFIED BY '{base62:12}';\n"),
    "a value of a key": ("a.yml", '- {name: "DB_PASSWORD", value: "{base62:14}"}\n'),
    "a list": ("a.toml", 'passwords = ["{base62:14}"]\n'),
    "a default": ("src/a.py", 'secret = settings.SECRET or "{base62:32}"\n'),
    "a connection string": ("src/a.cs", 'x("Server=s;User=sa;Password={password:14};")\n'),
    "a number in a connection string": (
        "src/b.cs",
        'x("Server=s;User=sa;Password={digits:9};")\n',
    ),
    "a password of a server": (
        "settings.xml",
        "<username>ada</username>\n<password>{base62:14}</password>\n",
    ),
    "a number of a configuration": ("config.yml", "password: {digits:9}\n"),
    "a value before another key": ("src/b.js", "x({password: '{password:14}', class: 'a'})\n"),
    "an argument": ("src/d.py", 'user.set_password("{lower:6}{digits:4}")\n'),
    "an element of HTML": ("a.html", '<input name="password" value="{password:14}"/>\n'),
    "a token": ("a.json", '"session":{"api_token":"{base62:40}","url":"x"}\n'),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All cases in one scan, each in a folder of its own: the confidences seen there."""
    root = tmp_path_factory.mktemp("tree")
    cases = {**QUIET, **SHOWN}
    folders = {name: f"case{number}" for number, name in enumerate(cases)}
    for name, (path, text) in cases.items():
        file = root / folders[name] / path
        file.parent.mkdir(parents=True)
        file.write_text(expand(text, name))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(seeded(tmp_path_factory.mktemp("cache"))))
        result = scan(root, ScanOptions(confidence=Confidence.LOW))
    by_folder: dict[str, set[str]] = {}
    for finding in result:
        for place in finding.places:
            by_folder.setdefault(place.path.split("/")[0], set()).add(finding.confidence)
    return {name: by_folder.get(folder, set()) for name, folder in folders.items()}


@pytest.mark.parametrize("name", QUIET)
def test_it_is_not_shown_by_default(found, name):
    assert found[name] <= {"low"}


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_shown_by_default(found, name):
    assert found[name] & {"medium", "high"}
