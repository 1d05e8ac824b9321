"""Values of no known format: what is shown, how confidently, and what is not."""

from base64 import b64encode
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import classify
from scanner.candidate import Candidate, candidate_of
from scanner.features import NAMES, features
from scanner.generators import expand
from scanner.options import ScanOptions
from scanner.place import NOWHERE, place_of
from scanner.refusal import refused
from scanner.run import scan
from scanner.trees import WEIGHTS, shipped
from tests.rulecache import seeded
from vocabulary.finding import Confidence


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """Rules are compiled once for all tests here, and nothing is left behind."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(seeded(tmp_path_factory.mktemp("cache"))))
        yield


def found(tmp_path, text, name="app/settings.py"):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(expand(text, "classify"))
    return list(scan(file, ScanOptions(confidence=Confidence.LOW)))


def shown(tmp_path, text, name):
    """Scan the folder, so that its own name, which is one of tests, bears on nothing."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(expand(text, "classify"))
    return list(scan(tmp_path))


SHOWN = [
    ("config/database.yml", "  password: {password:14}\n"),
    ("docker-compose.yml", "      - POSTGRES_PASSWORD={lower:9}\n"),
    ("src/Login.java", 'String password = "{lower:8}{digits:3}";\n'),
    ("conf/app.properties", "spring.datasource.password={base62:12}\n"),
    ("pom/settings.xml", "<password>{base62:14}</password>\n"),
    ("init.sql", "CREATE USER app IDENTIFIED BY '{base62:12}';\n"),
    ("init.sql", "ALTER ROLE app WITH LOGIN PASSWORD '{lower:10}';\n"),
    ("run.sh", "tool login --user ci --password {base62:16}\n"),
    ("run.sh", "curl -u admin:{base62:14} https://nexus.acme.internal/\n"),
    ("app.py", 'connect("firebird://app:{base62:12}@db.acme.internal/app")\n'),
    ("spec/cassette.yml", "    - Basic {basic:deploy}\n"),
    ("README.md", "    export API_KEY={hex:32}\n"),
    ("app.kt", 'const val ACCESS_TOKEN: String = "{base62:40}"\n'),
    ("client.js", "client.setAuthToken('{base62:32}')\n"),
    ("otp.rb", "otp = ROTP::TOTP.new('{base32:32}')\n"),
    ("tests/test_x.py", 'password = "{letters:7}{digits:2}"\n'),
    ("data.json", '"id": "{uuid}"\n'),
    ("app.js", "const secret = process.env.SECRET || '{base62:24}';\n"),
    ("app.py", 'user.set_password("{lower:6}{digits:4}")\n'),
    ("deploy.md", 'The password is "{lower:7}{digits:3}".\n'),
    ("app.java", 'private static final String PWD = "{lower:4}{digits:2}";\n'),
    ("deploy.rst", "  PASSWORD={lower:12} make run\n"),
    ("Dockerfile", "ENV DB_PASSWORD {base62:14}\n"),
    ("redis.conf", "requirepass {letters:14}\n"),
    ("app.py", "requests.get(url, auth=('admin', '{lower:6}{digits:4}'))\n"),
    ("app.go", 'r.SetBasicAuth("admin", "{password:12}")\n'),
    ("app.go", 'dsn := "app:{lower:6}{digits:4}@tcp(db.acme.internal:3306)/shop"\n'),
    ("app.js", "const token = jwt.sign(payload, '{lower:9}');\n"),
    ("Keys.java", 'store.load(in, "{base62:10}".toCharArray());\n'),
    ("login.cy.js", "cy.get('#password').type('{letters:6}{digits:2}')\n"),
    ("setup.ps1", '$pw = ConvertTo-SecureString "{letters:7}{digits:3}" -AsPlainText -Force\n'),
    ("model.r", 'password <- "{letters:12}"\n'),
    ("setup.sh", "echo {lower:8} | sudo -S apt-get update\n"),
    ("setup.sh", "rabbitmqctl add_user app {lower:6}{digits:3}\n"),
    ("backup.sh", "7z x -p{letters:12} backup.7z\n"),
    ("link.sql", "CREATE DATABASE LINK l CONNECT TO app IDENTIFIED BY {base62:10} USING 'x';\n"),
    ("main.tf", '  name  = "DB_PASSWORD"\n  value = "{base62:14}"\n'),
]


@pytest.mark.parametrize(("name", "text"), SHOWN, ids=[text.strip()[:30] for _, text in SHOWN])
def test_it_is_found_at_low_confidence(tmp_path, name, text):
    assert found(tmp_path, text, name)


HIDDEN = [
    ("a.py", 'password = os.environ["DB_PASSWORD"]\n'),
    ("a.py", "password = get_password()\n"),
    ("a.py", "self.password = password\n"),
    ("a.py", "password = settings.database.password\n"),
    ("a.py", 'password = "<your password>"\n'),
    ("a.yml", "password: ${DB_PASSWORD}\n"),
    ("a.yml", "password: {{ vault_password }}\n"),
    ("a.json", '"forgot_password_title": "Forgot your password?"\n'),
    ("a.py", 'author = "Ada Lovelace"\n'),
    ("a.py", 'keyword = "something else"\n'),
    ("a.py", 'token_type = "bearer"\n'),
    ("a.java", 'String PASSWORD_FIELD = "password";\n'),
    ("a.go", 'err := errors.New("password must not be empty")\n'),
    ("a.md", "Basic authentication is not supported, Bearer authorization is.\n"),
    ("a.py", 'key = "00000000-0000-0000-0000-000000000000"\n'),
    ("a.py", 'secret = "deadbeefdeadbeefdeadbeefdeadbeef"\n'),
    ("i18n/de.json", '"password": "Kennwort"\n'),
    ("a.py", "if ping_pass and state == 'absent':\n"),
    ("a.js", 'if (e.type === "password" || t === "textarea") focus();\n'),
    ("a.py", 'password = password.encode("latin1")\n'),
    ("a.py", 'value = key.startswith("zbx_trigger")\n'),
    ("a.py", 'token = vault.get_secret("deployment-production")\n'),
    ("a.go", 'Password string `validate:"min=8"`\n'),
    ("yarn.lock", '"@acme/password": "npm:^4.0.23"\n'),
    ("a.md", "The password to the 'enable' command is kept elsewhere.\n"),
    ("a.md", "- --password parameter passed to svn.\n"),
    ("a.yml", "secrets: inherit\n"),
    ("a.yml", '"mac-auth-bypass": "disable"\n'),
    ("BOTMETA.yml", "$modules/win_password.py: rickmendes\n"),
    ("a.py", "password = cred[3]\n"),
    ("a.rb", "config.reset_password_within = 6.hours\n"),
    ("a.sh", "gpg --recv-key B0B5E88696AFE6CB\n"),
    ("a.sh", 'docker run -v "$PWD:/home/app"\n'),
    ("a.go", "SIOCSLIFTOKEN = -0x7f879679\n"),
    ("a.sh", "mysql -u root -p shop\n"),
    ("a.py", "password = config.get('acme', 'ACME_PASSWORD')\n"),
    ("a.py", "module.exit_json(win_password=decrypted, changed=True)\n"),
    ("a.toml", 'keywords = ["secret-' + 'token:acme_"]\n'),
    ("a.sh", "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtn" + "FEMI\n"),
    ("a.sh", "# What the project must pass: installs what the tests need.\n"),
    ("a.toml", 'about = "Have I Been Pwned: breach search"\n'),
    ("a.py", "        password: likewise.\n"),
    ("a.rst", "  token: Optional. Where it is left out, none is sent.\n"),
    ("a.sql", "ALTER USER app PASSWORD EXPIRE;\n"),
    ("a.xml", '<property name="passwordEncoder" ref="bcrypt"/>\n'),
    ("a.sh", "PWD=build make\n"),
    ("a.py", "requests.get(url, auth=('admin', password))\n"),
    ("a.sh", 'echo "$PASSWORD" | sudo -S apt-get update\n'),
    ("Dockerfile", "ENV DB_PASSWORD ${DB_PASSWORD}\n"),
    ("redis.conf", "# requirepass foobared\n"),
    ("a.php", "'This is a very common password' => 'common_similar',\n"),
    ("tree.txt", "[INFO] +- io.jsonwebtoken:jjwt-api:jar:0.10.5:compile\n"),
    ("A.java", 'String HS384_JWT_HEADER = "eyJhbGciOiJI' + 'UzM4NCJ9";\n'),
    ("a.css", ".console-step .step-pass:before {\n"),
    ("a.vue", """<input :type="'password'" :autofocus="true">\n"""),
    ("i18n.generated.js", '"password": "senha",\n'),
    ("acme.sln", 'Project("{uuid}") = "Web", "Web", "{uuid}"\n'),
    ("shapes.svg", '<linearGradient id="{uuid}" x1="7"/>\n'),
    ("a.md", "// Server requires Bearer authentication. This client will not try.\n"),
    ("secrets.ejson", '"mail_password": "EJ[1:{base64:43}=:{base64:32}:{base64:80}]"\n'),
    ("a.sh", 'DB_PASSWORD="encrypted:{base64:88}"\n'),
    ("a.sh", 'export SHOP_SECRET="op://{base62:26}/{base62:26}/SHOP_SECRET"\n'),
    ("a.cs", 'var scaleFirstPass = "vpp_rkrga=format=bgra:afbc=1";\n'),
    ("a.rb", 'PASSWORD_CHANGED = define_event "user:password:changed"\n'),
    ("a.rb", 'x if session[:password_reset_reason] == "compromised"\n'),
    ("A.java", "// thingsboard\nString resetToken = thingsboardTokenRequest.getResetToken();\n"),
    ("A.java", 'thingsboard.of("Authentication failed", ThingsboardErrorCode.AUTHENTICATION);\n'),
]


@pytest.mark.parametrize(("name", "text"), HIDDEN, ids=[text.strip()[:30] for _, text in HIDDEN])
def test_it_is_not_shown_at_all(tmp_path, name, text):
    assert not found(tmp_path, text, name)


ELSEWHERE = [
    ("a.resx", '<data name="MasterPassword" xml:space="preserve">\n'),
    ("a.go", 'PasswordData *PasswordData `locationName:"passwordData" type:"structure"`\n'),
    ("api.json", '"dbPassword":{"shape":"SensitiveWord"},\n'),
    ("a.gradle", "filter(ReplaceTokens, tokens: ['pkg.platform': 'rpm'])\n"),
    ("A.php", "case Password::RESET_LINK_SENT:\n"),
    ("a.mjs", "const pass = await limiter.take(null, 0);\n"),
    ("main.yml", "dovecot_sql_default_pass_scheme: 'SSHA512'\n"),
    ("main.yml", "passdb_backend: 'tdbsam'\n"),
    ("a.ts", 'name: "Bearer Selection",\n'),
    ("a.js", 'const header = "Bearer uk99_invalidkey"\n'),
    ("a.txt", "sign-key-sha3-384: {base64url:64}\n"),
    ("A.cs", 'const string TokenIssuer = "AcmeSSO-{uuid}";\n'),
    ("README.md", 'When the password was changed, such as `"2006-01-02T15:04:05Z"` |\n'),
    ("app.yml", "secret: thisisthesecretofacme\n"),
    ("secret.yml", "  secret_data: " + b64encode(b"some-test-password").decode() + "\n"),
    ("A.java", "acme.token = resetPasswordRequest.getResetToken();\n"),
    ("A.cs", 'var freshdeskApiKey = AppSettings["FreshdeskApiKeyOfAcme"];\n'),
    ("A.java", "import thingsboard.Id;\nOAuth2AcmeTokenIdent oAuth2AcmeTokenIdent = new Id(id);\n"),
    ("a.json", '"image": "data:image/png;base64,{base64:60}/EAA{base62:90}/{base64:200}"\n'),
    ("A.cs", 'filters.Add("overlay=eof_action=pass:repeatlast=0");\n'),
    ("es.json", '"Password": "Contrase\\u00f1a",\n'),
    ("strings/nl.json", '"TabPassword": "Wachtwoord",\n'),
    ("jaas.yml", 'PlainLoginModule required username="u" password="CLUSTER_API_SECRET";\n'),
    ("sbom.json", '{"name": "auth", "hashes": [{"alg": "SHA-256", "content": "{hex:64}"}]}\n'),
]


@pytest.mark.parametrize(("name", "text"), ELSEWHERE, ids=[text[:30] for _, text in ELSEWHERE])
def test_what_belongs_to_something_else_is_not_shown_by_default(tmp_path, name, text):
    assert not shown(tmp_path, text, name)


@pytest.mark.parametrize(
    "text",
    [
        '<input name="password" value="{password:14}"/>\n',
        '<add key="DbPassword" value="{password:14}"/>\n',
        'password = on_prod ? "{password:14}" : "none"\n',
    ],
)
def test_a_value_of_the_name_itself_is_shown(tmp_path, text):
    assert shown(tmp_path, text, "app.config")


def test_a_uuid_of_no_secret_name_is_never_shown_by_default(tmp_path):
    (finding,) = found(tmp_path, '"id": "{uuid}"\n', "data.json")
    assert finding.confidence == "low"


def test_a_fixture_of_tests_is_not_shown_by_default(tmp_path):
    (finding,) = found(tmp_path, 'password = "{lower:9}"\n', "tests/test_login.py")
    assert finding.confidence == "low"
    assert any("tests" in reason for reason in finding.reasons)


@pytest.mark.parametrize("paths", [("a/tests/x.py", "b/x.py"), ("a/x.py", "docs/x.py")])
def test_a_copy_among_tests_takes_nothing_off_the_same_file_elsewhere(repo, paths):
    for path in paths:
        repo.write(path, expand("password = '{lower:7}7{lower:5}'\n", "places"))
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "twice the same")
    (finding,) = scan(repo.path)
    assert finding.count == 2
    assert not any("among tests" in reason for reason in finding.reasons)


def test_a_finding_says_what_it_is_assigned_to_and_how_likely_it_is(tmp_path):
    (finding,) = found(tmp_path, 'db_password = "{password:18}"\n')
    assert any("db_password" in reason for reason in finding.reasons)
    assert any("%" in reason for reason in finding.reasons)


def test_a_password_with_the_other_quote_in_it_is_taken_whole(tmp_path):
    (finding,) = found(tmp_path, 'password = "{base62:8}\'{base62:6}"\n')
    assert finding.column == len('password = "') + 1
    assert len(finding.credential.sha256) == 64


def test_the_argument_next_to_it_gives_its_own_name():
    piece = b'\nlogin(password, usage="accept")'
    at = piece.index(b"accept")
    made = candidate_of("assignment", piece, (at, at + 6), (7, 15))
    assert made.name == "usage"


def test_a_candidate_keeps_its_secret_to_itself():
    assert "hidden" not in repr(Candidate("assignment", "a", "hidden", "", "", ""))


def test_weights_know_the_features_of_the_code():
    assert shipped().names == NAMES


def test_levels_rise():
    low, medium, high = shipped().levels
    assert 0 < shipped().possible < low <= medium <= high < 1


def test_weights_are_readable_and_small():
    text = WEIGHTS.read_text(encoding="ascii")
    assert len(text) < 300_000
    assert max(map(len, text.splitlines())) < 5_000


def test_a_leaf_is_reached_from_every_root():
    zero, large = (0.0,) * len(NAMES), (1e9,) * len(NAMES)
    assert 0 < shipped().probability(zero) < 1
    assert 0 < shipped().probability(large) < 1


printable = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=60)


@given(value=printable.filter(bool), name=printable, before=printable, after=printable)
def test_any_text_can_be_weighed(value, name, before, after):
    made = Candidate("assignment", name, value, '"', f'{before}"', after)
    assert len(features(made, NOWHERE)) == len(NAMES)
    refused(made)
    assert 0 <= classify.weigh(made, "src/a.py").probability <= 1


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_candidate_is_cut_from_any_bytes(piece, data):
    end = data.draw(st.integers(1, len(piece)))
    start = data.draw(st.integers(0, end - 1))
    made = candidate_of("assignment", piece, (start, end), (0, start))
    assert made.value == piece[start:end].decode("utf-8", "replace")


def test_randomness_alone_makes_no_secret(tmp_path):
    letters = "".join(Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=24))
    assert not found(tmp_path, f'file_name = "{letters}"\n')


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tests/test_a.py", "among_tests"),
        ("src/UserTest.java", "among_tests"),
        ("docs/usage.rst", "among_examples"),
        ("locale/de/LC_MESSAGES/django.po", "translated"),
        ("src/main.go", "code"),
    ],
)
def test_a_path_says_what_lies_there(path, said):
    assert getattr(place_of(path), said)
