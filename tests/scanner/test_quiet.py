"""What the default leaves out by what stands around a value, and what stays shown beside it."""

from base64 import b64encode

import pytest

from tests.scanner.planting import confidences

ALADDIN = b64encode(b"Aladdin:open sesame").decode()
"""The example of RFC 7617."""
HEADER = b64encode(b'{"alg":"HS256","typ":"JWT"}').decode()
FILLED_IN = b64encode(b"<your-client>:<your-password>").decode()
NO_PASSWORD = b64encode(b"browser:").decode()
FILLED_UP = b64encode(b64encode(b"x" * 32)).decode()
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
    "labels of a block": ("a.tf", 'resource "random_password" "hangar" {\n'),
    "another case": ("src/a.js", 'case "password": case "button": case "submit":\n'),
    "a parameter of a method": (
        "src/A.java",
        'public void resetPassword(@PathVariable("activationkey") String key) {\n',
    ),
    "a table of a compiler": ("a.cache.html", "Owd='PopPane$1',Pwd='PopPane$2',Qwd='PopPane$3'\n"),
    "a checksum of a secret": ("a.yaml", "  checksum/secret: {hex:64}\n"),
    "a list of files": ("metadata.json", '"manifests/root_password.pp": "{hex:32}",\n'),
    "keys that are allowed": ("app.yml", "AllowedAPKSigningKeys: {hex:64}\n"),
    "an element of a list": ("src/A.java", 'specialTokens.add("address1");\n'),
    "a file of a storage": (
        "src/Tests/A.cs",
        '            storageKey: "tenants/t/product/2026/05/abc/x.png",\n',
    ),
    "a rule of a grammar": ("notes/rfc/rfc1.txt", "token       = 1*255TCHAR\n"),
    "what asks to be replaced": ("a.php", "define('DB_PASSWORD', 'REPLACE_ME');\n"),
    "what is not set": ("a.pp", "  $root_password = 'UNSET'\n"),
    "a dummy": ("a.yaml", "password: dummypassbus\nother: x\n"),
    "a password in another language": ("a.sh", 'export APP_PASSWORD="contraseña-segura"\n'),
    "a text of an archive": ("res/_text_pt_br.prop", "a.password=Palavra\n"),
    "a file named after a language": ("properties/lt.properties", "User.password=Zodis\n"),
    "a word of code": ("src/a.kt", 'val password: String = "lighthouse"\n'),
    "another cell of a table": ("a.md", "| Board | Pass | Made the card `{base62:17}`. |\n"),
    "rules of a form": ("NOTES.md", "      password : ['minLength[6]', 'empty'],\n"),
    "an expression": ("src/a.kt", 'private val range by regexToken("(?i:highdr|lowdr)")\n'),
    "an address without a password": (
        "tests/a.test.cjs",
        "  assert.equal(hideCredentials('mongodb://acme@mongo:27017/acme'),\n",
    ),
    "a default to be changed": ("a.json", '"url": "amqp://admin:changeit@queue",\n'),
    "a default of another parameter": (
        "src/a.php",
        "function setPassword($password, $method = 'pbkdf2')\n",
    ),
    "a part of what a call takes": (
        "src/a.test.ts",
        "      logoutToken: await signedToken({ sub: 'non_existent_sub_000' }),\n",
    ),
    "a description": (
        "a.schema.json",
        "\"description\": \"How keys are kept. 'masterPassword' = standard SSO, 'x' = TDE.\"\n",
    ),
    "the id of credentials": ("Jenkinsfile", "DOCKER_CREDENTIALS = '{uuid}'\n"),
    "a picture": ("a.json", '"u":"https://a.b/o/h%2Fmap.png?alt=media&token={uuid}"\n'),
    "where a password is read": ("a.sh", "echo $P | docker login --password stdin\n"),
    "a version": ("a.json", '"component_id": "ubuntu:bionic:passwd:1:4.5-1ubuntu2.5",\n'),
    "which version of a secret": (
        "deploy.sh",
        '[[ -n "$MAIL" ]] && kv+=("NEXT_SMTP_PASSWORD=${PREFIX}-smtp-password:latest")\n',
    ),
    "what is encrypted with": ("src/A.cs", 'EncryptionKey = "2.{base64:22}==|{base64:42}=",\n'),
    "a private key that is encrypted": (
        "test/A.cs",
        '            UserEncryptedPrivateKey = "7.{base64:22}==",\n',
    ),
    "no password of Django": ("db.json", '"password": "!{base62:40}",\n'),
    "a migration": ("src/a.py", "    ('oauth', '0002_combine_services'),\n"),
    "another language": ("help.html", 'Le mot de passe du "gestionnaire".\n'),
    "an attribute in a text": (
        "tests/a.json",
        r'"t":"other password. (<a href=\"https:\/\/labs.acme.net\/code\/issues\/8443\">#1"',
    ),
    "what is joined": ("src/A.java", 'write("#set$" + id + "@" + password + "#EMR_MODE:0*");\n'),
    "what a token is asked by": (
        "src/a.php",
        "'access_token' => $bank->getAccessToken('sbMem62e1e69547bfb1'),\n",
    ),
    "a public token": ("src/a.vue", "websiteToken: '{base62:24}', // public token\n"),
    "an id of Stripe": ("src/a.json", '"token":"pm_1{base62:23}","x":1\n'),
    "a version of a row": ("src/a.php", '"version_token": "{base62:45}"\n'),
    "a login of a standard": ("a.xml", f"Authorization: Basic {ALADDIN}\n"),
    "what is not required": ("a.yml", "x.security.password=NOTREQUIRED\n"),
    "a header of a token": (
        "src/a.ts",
        f'"Bearer {HEADER}"\n',
    ),
    "a name of code that was kept": ("a.vue.orig", "this.urls.httpPassword = excluded\n"),
    "an address of an app": ("src/A.kt", 'uri = "msauth://com.acme.app/{base62:27}%3D",\n'),
    "a variable of the same name": ("build.gradle", "release.keyPassword = keyPassword // of it\n"),
    "a field of a manual": ("a.html", "app.storePassword=&lt;storePassword&gt; here\n"),
    "a package": ("pnpm-lock.yaml", "      react-password-bar: 0.4.1_sfoxds7t{lower:10}7\n"),
    "words and numbers": ("src/theme.ts", "  fontSize: token('fontSizes.150'),\n"),
    "an example to be filled in": ("src/a.spec.ts", f"    'Basic {FILLED_IN}',\n"),
    "a login without a password": ("src/a.js", f"h = 'Basic {NO_PASSWORD}'\n"),
    "what connects": ("a.yml", "passwordConnector: local\n"),
    "what does not matter": ("a.yml", 'password: "irrelevant"\n'),
    "a word of code among settings": ("src/ui/settings/A.kt", '    password = "gullwing",\n'),
    "a praised password": ("a.yml", '"password": "areallysupersecretpassword235",\n'),
    "a sentence that begins like a statement": (
        "a.yml",
        "- name: Create user those password ageing should not be changed\n",
    ),
    "what another call makes": (
        "tests/aTest.php",
        "        $this->check($ntlm->authenticate($user, $secret, hex2bin('{hex:16}')));\n",
    ),
    "some milliseconds": ("src/A.kt", "val passwordDebounce = 500.milliseconds\n"),
    "a property": (
        "build.gradle.kts",
        'keyPassword = keystoreProperties["keyPassword"] as String\n',
    ),
    "a word for a token": ("src/a.yml", "access_token: harbour12\n"),
    "code between two strings": (
        "assets/app.js",
        '(0,o.kt)("li",{ a:"ul"},"Password: ",(0,o.kt)("em",{ a:"li"},"leave"))\n',
    ),
    "a word with escaped letters": ("src/a.js", r'x={ rangePassword:"Contrase\xF1a",y:1}'),
    "an account without a password": ("Dockerfile", "RUN adduser --disabled-password harbour \\\n"),
    "a variable of Kotlin": ("build.gradle.kts", "    storePassword = keystorePassword\n"),
    "a member of a configuration": (
        "app/build.gradle.kts",
        "    keyPassword = config.keyPassword\n",
    ),
    "a parameter of a setter": ("src/A.java", "        this.keyPassword = keyPassword;\n"),
    "another cell of a row": (
        "db/a.sql",
        "(1, 'uri: http://auth/oauth/check_token', '{hex:32}', '2019-04-18');\n",
    ),
    "a beacon": (
        "a.html",
        """<script src="b.js" data-cf-beacon='{ "r":1,"token": "{hex:32}"}'></script>\n""",
    ),
    "the address of a picture": (
        "a.ipynb",
        '"![how](https://raw.acme.net/a/how-arch.png?token={base62:40})",\n',
    ),
    "what a password should be": (".env", "ROOT_PASSWORD=super_secure1234\n"),
    "what asks politely": (".env", "ROOT_PASSWORD=changemeplease\n"),
    "a word with marks": ("src/a.ts", "const bytesPassword = 'p\u01fbssword';\n"),
    "a symbol behind a verb": ("notes/a", "pass :strict to Parser\n"),
    "a field that was filled": (".env", f"KEY_SECRET={FILLED_UP}\n"),
    "a token of a page": ("a.html", '"a":1,"trackingToken":"{hex:32}","b":2\n'),
    "a public key of minisign": ("a.toml", "minisign_key = 'RW{base62:54}'\n"),
    "a primitive": ("src/a.h", '#define crypto_secretbox_PRIMITIVE "xsalsa20poly1305"\n'),
    "a remark behind code": ("a.sh", "    fi # $pass = conv\n"),
    "a line of a certificate": ("a.pem", "{repeat:A:21}wCwYDVR0{base62:35}\n"),
    "a header with its dot": ("src/a.php", f'"token" => "{HEADER}.",\n'),
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
    "a pair in quotes": ("a.cfg", '"rcon_password" "{base62:14}"\n'),
    "a case": ("src/a.js", "case 'a': password = '{password:14}'; break;\n"),
    "a call with an annotation": ("src/A.java", '@Value("x") String password = "{base62:14}";\n'),
    "one of several short names": ("src/a.js", "a='x',pwd='{base62:14}',host='y'\n"),
    "a path before a secret": ("a.yaml", "/run/secret: {hex:64}\n"),
    "a key that signs": ("app.yml", "APK_SIGNING_KEY: {hex:64}\n"),
    "a token of a list": ("src/A.java", 'tokens.add("{base62:32}");\n'),
    "a key with slashes": ("src/a.ts", 'storageKey: "{base62:12}/{base62:14}/{base62:10}",\n'),
    "a password like a grammar": ("a.env", "PASSWORD=7*255{lower:6}\n"),
    "a default of a server": ("a.pp", "  $root_password = 'dunes{digits:3}'\n"),
    "a weak password in another language": (".env", "DB_PASSWORD=wachtwoord{digits:4}\n"),
    "a password of a country": ("conf/app-de.properties", "db.password={base62:14}\n"),
    "a weak password of a country": ("conf/app_de.properties", "db.password=harbour{digits:3}\n"),
    "a cell of a table": ("a.md", "| Password | `{base62:17}` |\n"),
    "a password in a list": ("src/a.py", "password : ['{base62:14}', 'empty'],\n"),
    "a password with signs of expressions": ("a.env", "PASSWORD=d+{base62:10}*[x]\n"),
    "an address with a password": ("src/a.js", "x('mongodb://wren:{base62:14}@mongo/wren')\n"),
    "a password that says it": ("a.json", '"url": "amqp://admin:changes{digits:4}@queue",\n'),
    "a default of the parameter": (
        "src/a.php",
        "open($method = 'pbkdf2', $password = '{base62:14}');\n",
    ),
    "a part that is a secret": ("src/a.ts", "token: make({ secret: '{base62:24}' }),\n"),
    "what stands behind a description": (
        "a.json",
        '{"description": "the first", "password": "{base62:14}"}\n',
    ),
    "what stands behind a title": (
        "a.yml",
        "{'title' => 'the first', 'password' => 'harbour{digits:3}'}\n",
    ),
    "a password that looks like an id": (".env", "DOCKER_PASSWORD={uuid}\n"),
    "a token in an address": ("a.env", "URL=https://a.b/sign?token={base62:28}\n"),
    "a password with a version": (".env", "DB_PASSWORD=1:{base62:14}\n"),
    "what is not encrypted": ("src/A.cs", 'UnencryptedPassword = "{base62:16}";\n'),
    "a password with a pipe": ("a.json", '"password": "{base62:9}|{base62:7}",\n'),
    "a password with a mark": ("db.json", '"password": "!{base62:14}",\n'),
    "a token of letters": ("src/a.rb", "verification_token: '{lower:26}'\n"),
    "a value behind a colon": ("a.yml", "msauth: {base62:27}\n"),
    "a password of a keystore": ("build.gradle", "release.keyPassword = 'harbour{digits:3}'\n"),
    "a number with words": ("a.yml", "api_token: {hex:8}-{hex:8}-{hex:16}\n"),
    "a login of a spec": ("src/a.ts", "h = 'Basic {basic:svc}'\n"),
    "a passphrase": (".env", "DB_PASSWORD=harbour-dune-{digits:4}\n"),
    "a statement without quotes": ("a.sql", "ALTER USER app IDENTIFIED BY harbour{digits:3};\n"),
    "an argument that is a secret": ("src/a.py", "sign(secret, '{base62:32}')\n"),
    "a password with a dot": ("a.yml", "password: 500.harbour{digits:2}\n"),
    "what is appended": ("src/a.js", "password += '{base62:14}';\n"),
    "a token that is set": ("src/a.php", "$bank->setAccessToken('{base62:24}');\n"),
    "a token beside a remark": ("src/a.vue", "websiteToken: '{base62:24}', // of the team\n"),
    "a secret of Stripe": ("src/a.json", '"client_secret":"pi_1{base62:20}_secret_{base62:24}"\n'),
    "a configuration that was kept": ("app.yml.orig", "password: harbour{digits:3}\n"),
    "a word of a configuration in code": ("config/database.php", "'password' => 'harbour',\n"),
    "a word of a configuration": ("docker-compose.yml", "  POSTGRES_PASSWORD: harbour\n"),
    "a password between signs": ("src/a.py", 'password = "),{base62:14}"\n'),
    "a secret with escaped bytes": ("src/a.py", r"SECRET_KEY = '\xf1\x8b{base62:14}\xa2R'"),
    "a password of an account": ("a.sh", "useradd --password '{base62:14}' harbour\n"),
    "a password in a Gradle file": ("gradle.properties", "storePassword = {base62:14}\n"),
    "a word that ends as a variable": ("build.gradle", "storePassword = 'harbour{digits:3}'\n"),
    "a cell behind its name": ("src/a.c", 'setenv("ACCESS_TOKEN", "{base62:32}");\n'),
    "a token in an attribute": ("a.html", """<b data-options='{ "token": "{hex:32}"}'></b>\n"""),
    "a token of a file": ("a.ipynb", '"![how](https://acme.net/a/how.tar?token={base62:40})",\n'),
    "a default of a variable": ("docker-compose.yml", "PASSWORD: ${DB_PASS:-harbour731}\n"),
    "a secure password": (".env", "ROOT_PASSWORD=secure-dunes{digits:3}\n"),
    "a word with a colon": ("app.yml", "password : harbour\n"),
    "a template of a role": (
        "roles/web/templates/app.yml.j2",
        "jwt_secret: {base62:40}\n",
    ),
    "a template of a cookbook": (
        "cookbooks/a/templates/default/app.erb",
        "password: {base62:14}\n",
    ),
    "a secret key of minisign": ("a.toml", "minisign_key = 'RW{base62:100}'\n"),
    "a value before a remark": ("a.yml", "password: harbour # of it\n"),
    "a password with a number sign": ("a.env", "PASSWORD=harbour#{digits:3}\n"),
    "an element of HTML": ("a.html", '<input name="password" value="{password:14}"/>\n'),
    "a token": ("a.json", '"session":{"api_token":"{base62:40}","url":"x"}\n'),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All cases in one scan: the confidences seen in each."""
    return confidences(tmp_path_factory, {**QUIET, **SHOWN})


@pytest.mark.parametrize("name", QUIET)
def test_it_is_not_shown_by_default(found, name):
    assert found[name] <= {"low"}


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_shown_by_default(found, name):
    assert found[name] & {"medium", "high"}
