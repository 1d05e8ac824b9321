"""Stores follow while `watch` runs, and one that is away stops nobody."""

import json
from threading import Event

from database.transaction import open_database
from keystore.issue import KeyOrder, Origin
from keystore.store import KeyStore
from keywatch.carrying import carrying
from keywatch.config_keys import StoreSettings
from tests.httpd import serving

BY = {"actor": "ann", "reason": "a test"}
PATIENCE_S = 120.0
SECRET = "whsec_" + "c" * 40


def test_a_revocation_is_carried_while_another_store_is_away(tmp_path):
    carried, told = Event(), []

    def answer(asked):
        if json.loads(asked.body) == {"type": "key.revoke", "id": "7"}:
            carried.set()
        return 204, {}, b""

    ours = KeyStore(open_database(f"sqlite:///{tmp_path / 'ours.db'}"))
    with serving(answer) as server:
        stores = (
            StoreSettings(name="here", url=server.url, secret=SECRET),
            StoreSettings(name="away", url="http://127.0.0.1:9", secret=SECRET),
        )
        failed = Event()

        def tell(sentence):
            told.append(sentence)
            failed.set()

        with carrying(ours.engine, stores, tell):
            for number, name in enumerate(("here", "away")):
                order = KeyOrder(store=name, external_id="7")
                key = ours.adopt(order, Origin(f"{number:064x}"), **BY)
                ours.revoke(key.id, **BY)
            assert carried.wait(PATIENCE_S)
            assert failed.wait(PATIENCE_S)
    assert len(told) == 1
    assert "away" in told[0]
    assert SECRET not in told[0]
    ours.engine.dispose()
