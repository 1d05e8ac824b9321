"""Secrets in columns and on the lines below their names are found where they stand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner import ScanOptions, below, columnless, scan, tables
from tests.scanner.secrets import password
from vocabulary.finding import Confidence

WORD, MORE = password(3, 20), password(5, 20)
LOW = ScanOptions(confidence=Confidence.LOW)


def secrets(engine, text):
    return {(m.secret.decode(), m.line, m.column) for m in engine.search(text.encode(), "x")}


INTO = "INTO users (id, name, password, email)"
TABLES = {
    "insert": f"INSERT {INTO} VALUES (1, 'o''x', '{WORD}', NULL);\n",
    "rows of an insert": f"insert {INTO} values\n(1, f(2), NULL, NULL),\n(2, '', '{WORD}', '');\n",
    "names in quotes": f'INSERT INTO "a"."b" ("id", "api_token") VALUES (7, \'{WORD}\'::text);\n',
    "name and value": f"INSERT INTO config (name, value) VALUES ('smtp_password', '{WORD}');\n",
    "copy": f"COPY public.users (id, api_token) FROM stdin;\n1\t\\N\n2\t{WORD}\n\\.\n",
    "csv": f"id,login,password\n1,ada,\n2,bob,{WORD}\n",
    "csv in quotes": f'"login";"Password";"x"\r\n"a;b";"{WORD}";"1"\r\n',
    "csv, telling column first": f"api key,created\n{WORD},2024-01-01\n",
    "csv of names": f"name,value\nHOST,db\nDB_PASSWORD,{WORD}\n",
    "tsv": f"\ufeffname\ttoken\tx\nprod\t{WORD}\t1\n",
    "markdown": f"# Hosts\n\n| Host | Password |\n|:---|---:|\n| a | |\n| db | `{WORD}` |\n",
    "markdown without edges": f"Host | Token\n--- | ---\ndb | {WORD}\n",
    "markdown of names": f"| Name | Value |\n|---|---|\n| `DB_PASSWORD` | **{WORD}** |\n",
}
MADE = "CREATE TABLE users (\n  id integer PRIMARY KEY,\n  password varchar(200) NOT NULL,\n"
MYSQL = "CREATE TABLE `a` (\n  `id` int(11) NOT NULL,\n  `cost` decimal(5,2) DEFAULT '0.00',\n"
COLUMNLESS = {
    "insert without columns": (
        f"{MADE}  UNIQUE (id)\n);\n-- rows\nINSERT INTO users VALUES (1, ''), (2, '{WORD}');\n"
    ),
    "an insert for each row": (
        f"create table public.users (id int, -- its number\n  api_token text default 'a,b');\n"
        f"insert into public.users values (1, null);\n"
        f"insert into public.users values (2, '{WORD}');\n"
    ),
    "a dump of MySQL": (
        f"{MYSQL}  `smtp_password` varchar(255) DEFAULT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=x;\n"
        f"LOCK TABLES `a` WRITE;\nINSERT INTO `a` VALUES (1,NULL,'{WORD}'),(2,9.5,'');\n"
    ),
    "another table between": (
        f"{MADE}  x text);\nCREATE TABLE b (x int, y int);\nINSERT INTO b VALUES (1, 2);\n"
        f"INSERT INTO users VALUES (1, '{WORD}', 'x');\n"
    ),
    "a table in quotes": (
        'CREATE TABLE IF NOT EXISTS "users" ("id" INTEGER, "api_token" TEXT);\n'
        f"INSERT INTO users VALUES(7,'{WORD}');\n"
    ),
}
TABLES |= COLUMNLESS
BELOW = {
    "folded": f"db:\n  password: >-\n    {WORD}\n  host: x\n",
    "literal": f"password: |\n  {WORD}\n",
    "plain": f"- password:\n    {WORD}\n  x: y\n",
    "wrapped": f'const apiSecret =\n    "{WORD}";\n',
    "in brackets": f'ACCESS_TOKEN = (\n    "{WORD}"\n)\n',
}


@pytest.mark.parametrize("name", TABLES | BELOW)
def test_it_is_told_where_it_stands(engine, name):
    text = (TABLES | BELOW)[name]
    before, _, _ = text.encode().partition(WORD.encode())
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    assert secrets(engine, text) == {(WORD, line, column)}


def test_each_row_has_its_own(engine):
    rows = [password(seed, 20) for seed in range(40)]
    text = "id,password\n" + "".join(f"{n},{row}\n" for n, row in enumerate(rows))
    found = secrets(engine, text)
    assert {(secret, line) for secret, line, _ in found} >= {(WORD, 5), (MORE, 7)}
    assert len(found) > len(rows) * 3 / 4


@pytest.mark.parametrize(
    "text",
    [
        f"id,login,password_hint\n1,ada,{WORD}\n",
        f"call(user, password,\n     {WORD}, x)\n",
        f"text before\nid,password\n1,{WORD}\n",
        f"id,password\n{WORD}\n",
        f"| Host | Password |\n{WORD}\n",
        f"INSERT INTO users (id, name) VALUES (1, '{WORD}');\n",
        f"INSERT {INTO} VALUES (1, '{WORD}');\n",
        f"CREATE TABLE a (id int, password text);\nINSERT INTO b VALUES (1, '{WORD}');\n",
        f"CREATE TABLE a (id int, name text);\nINSERT INTO a VALUES (1, '{WORD}');\n",
        f"CREATE TABLE a (id int, password text);\nINSERT INTO a VALUES (1, 2, '{WORD}');\n",
        f"token:\n  {WORD}:\n    x: y\n",
        f"password: |\n  {WORD}\n  and more lines of text\n",
        f"if not token:\n    {WORD}\n",
    ],
)
def test_what_stands_in_no_such_place_is_nothing(engine, text):
    assert not secrets(engine, text)


def test_a_mark_covers_its_row_alone(tmp_path):
    mark = "keywatch" + ":allow"
    text = f"name,password,note\na,{WORD},{mark}\nb,{MORE},\n"
    (tmp_path / "a.csv").write_text(text)
    report = scan(tmp_path, LOW)
    assert [finding.line for finding in report] == [3]
    assert report.receipt.ignored == 1


SHAPES = [text.encode() for text in (TABLES | BELOW).values()]


@given(
    st.sampled_from(SHAPES), st.binary(max_size=60), st.integers(0, 300), st.integers(0, 300),
    st.integers(0, 60), st.integers(0, 60),
)  # fmt: skip
@settings(deadline=None)
def test_reading_stays_within_its_bounds(shape, noise, cut, at, low, spare):
    text = shape[:cut] + noise + shape[cut:]
    bottom = min(low, len(text))
    top = max(len(text) - spare, bottom)
    where = min(max(at, bottom + 1), top)
    if where <= bottom:
        return
    for look in (tables.table, columnless.inserts, below.below):
        region = look(text, where, bottom, top)
        for position in range(len(region.text) if region else 0):
            assert bottom <= region.was_at(position) <= top


@pytest.mark.parametrize(
    "text",
    [
        "| Host | Password |\n|---|---|",
        f"| Host | Password |\n|---|---|\n| only one |\n| db | {WORD} |\n",
        f"| {'Host' * 2000} | Password |\n|---|---|\n| db | {WORD} |\n",
    ],
    ids=["no body", "a row of another width ends it", "a head without end"],
)
def test_what_is_no_markdown_table_has_no_columns(engine, text):
    assert WORD not in {secret for secret, _, _ in secrets(engine, text)}
