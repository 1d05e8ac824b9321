"""Make docs/pictures/key.png: python docs/screenshot.py (needs Debian's chromium).

With --all it writes every page, light, dark and on a phone, to build/screens, to be looked at.

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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.console.house import House

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
    """Serve the console and take the picture, or with --all those of every page."""
    import uvicorn
    from playwright.sync_api import sync_playwright

    from gateway.server import config_of, listening
    from keywatch.console.site import site

    with tempfile.TemporaryDirectory() as folder:
        house = fill(Path(folder))
        listener = listening("127.0.0.1", 0)
        server = uvicorn.Server(config_of(site(house.desk)))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        browser_path = os.environ.get("CHROMIUM") or next(
            filter(None, map(shutil.which, ("chromium", "chromium-headless-shell"))), None
        )
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
            if "--all" in sys.argv:
                every_page(browser, address, house)
            else:
                page = entered(browser, address, "ada")
                page.goto("/keys/key_0")
                page.screenshot(path=ROOT / "docs" / "pictures" / "key.png")
            browser.close()
        server.should_exit = True
        thread.join()


def entered(browser: "Browser", address: str, name: str, **looks: Any) -> "Page":  # noqa: ANN401
    """Return a page on which somebody is logged in."""
    from tests.console.house import PASSWORD

    page = browser.new_page(
        **{"viewport": {"width": 1180, "height": 960}, "base_url": address, **looks}
    )
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Overview").wait_for()
    return page


def every_page(browser: "Browser", address: str, house: "House") -> None:
    """Write every page, light, dark and on a phone, to build/screens."""
    from keywatch.console.site import PAGES
    from keywatch.desk import looking

    folder = ROOT / "build" / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    house.user("root", "admin")
    house.token("read", name="deploy")
    house.leak("key_0", fingerprint="f0")
    house.source()
    with house.desk.reading() as connection:
        incident = looking.list_incidents(connection).items[0].id
    ids = {"incidents": incident, "keys": "key_0", "leaks": "f0"}
    looks: dict[str, dict[str, Any]] = {
        "light": {"color_scheme": "light"},
        "dark": {"color_scheme": "dark"},
        "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
    }
    for name, look in looks.items():
        page = entered(browser, address, "root", **look)
        for one in PAGES:
            parts = one.path.strip("/").split("/")
            page.goto(one.path.replace("{id}", ids.get(parts[0], "")))
            called = "-".join(part.strip("{}") for part in parts) or "overview"
            page.screenshot(path=folder / f"{called}.{name}.png", full_page=True)
        page.close()


if __name__ == "__main__":
    main()
