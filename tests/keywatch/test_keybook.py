"""What the key store tells the detectors of a key."""

from database.transaction import open_database
from keystore.issue import KeyOrder
from keystore.keys import Declared
from keystore.store import KeyStore
from keywatch.config import Settings
from keywatch.keybook import KeyBook


def test_the_detectors_are_told_what_a_key_was_issued_for(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'k.db'}")
    order = KeyOrder(
        owner="ann",
        key_class="ai",
        networks=("192.0.2.0/24",),
        tokens_per_day=40_000,
        declared=Declared(countries=("FR",), rate_per_h=5.0),
    )
    first = KeyStore(engine).create(order, actor="test").key.id
    second = KeyStore(engine).create(KeyOrder(owner="bob"), actor="test").key.id
    book = KeyBook(engine, Settings().keys)
    book.look_up([first, second])
    said = book.facts([first, second])
    assert (said[first].networks, said[first].tokens_per_day) == (("192.0.2.0/24",), 40_000)
    assert (said[first].countries, said[first].rate_per_h) == (("FR",), 5.0)
    assert (said[second].networks, said[second].tokens_per_day) == ((), 0)
    engine.dispose()
