"""Make docs/pictures/key.png: python docs/screenshot.py (needs Debian's chromium).

The database is made for it: two weeks of traffic through the pipeline, a theft among it, and keys
about which something was noticed.
"""

import os
import random
import shutil
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

SAID = (
    ("network", "requests from a hosting network", "high"),
    ("volume", "four times as many requests as usual at this hour", "medium"),
    ("network", "used from Lagos 40 minutes after Lyon", "high"),
    ("time", "used at 03:12, when it never is", "low"),
)


def fill(folder: Path):  # noqa: ANN201  (a class of the tests)
    """Return a house in which two weeks have passed."""
    from sqlalchemy import update

    from database.schema import keys
    from database.transaction import transaction
    from keywatch.cli import run
    from tests.console.house import House
    from tests.keywatch import traffic

    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    traffic.START = today - timedelta(days=16)
    log = folder / "access.log"
    log.write_text("\n".join(traffic.ordinary(16, keys=1, hours=range(7, 19))) + "\n")
    url = f"sqlite:///{folder / 'k.db'}"
    house = House(url)
    house.now = time.time()
    shop = house.key(owner="ann", name="shop backend", key_class="service")
    with transaction(house.engine) as connection:
        connection.execute(update(keys).where(keys.c.id == shop).values(id="key_0"))
    words = ["watch", "--access-log", str(log), "--format", "nginx-json", "--once"]
    run(["--database", url, *words])
    rng = random.Random(7)  # noqa: S311  (the same picture every time)
    for back in range(12, -1, -1):
        house.now = time.time() - 86_400 * back - 3600
        for _ in range(rng.randrange(1, 5)):
            family, said, severity = rng.choice(SAID)
            owner = rng.choice(("bea", "carl", "dee"))
            house.alert(house.key(owner=owner), severity, family=family, summary=said)
        house.carry_out()
    house.now = time.time() - 90
    taken = house.key(owner="dee", name="mobile app")
    house.alert(taken, "critical", summary="leaked before, now used from a hosting network")
    house.now += 0.4
    house.carry_out()
    house.now = time.time()
    house.user("ada", "operator")
    return house


def main() -> None:
    """Serve the console and take the picture."""
    import uvicorn
    from playwright.sync_api import sync_playwright

    from gateway.server import config_of, listening
    from keywatch.console.site import site
    from tests.console.house import PASSWORD

    with tempfile.TemporaryDirectory() as folder:
        house = fill(Path(folder))
        listener = listening("127.0.0.1", 0)
        server = uvicorn.Server(config_of(site(house.desk)))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
            page = browser.new_page(
                viewport={"width": 1180, "height": 960},
                base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            )
            page.goto("/login")
            page.get_by_label("Name").fill("ada")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            page.get_by_role("heading", name="Overview").wait_for()
            page.goto("/keys/key_0")
            page.screenshot(path=ROOT / "docs" / "pictures" / "key.png")
            browser.close()
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
