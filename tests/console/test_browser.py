"""The console in a real browser: every page, every deed, news, keys, and what WCAG asks for."""

import threading
from contextlib import contextmanager

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from database.schema import outbox
from database.transaction import transaction
from gateway.server import config_of, listening
from keywatch.console.site import site
from keywatch.desk import looking
from keywatch.people import sessions
from tests.console.house import PASSWORD, House
from tests.services import browser_path

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Chromium asks for hosts of its maker otherwise
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = ("/", "/incidents", "/keys", "/actions", "/leaks", "/sources", "/policy", "/audit",
         "/people", "/account")  # fmt: skip
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
    "preload": False,
}


HEARD = """
window.heard = 0;
const Real = window.EventSource;
window.EventSource = class extends Real {
  constructor(...args) {
    super(...args);
    this.addEventListener("open", () => { window.listening = true; });
    // behind the page's own listener, which was added first
    setTimeout(() => this.addEventListener("change", () => { window.heard += 1; }), 0);
  }
};
"""
"""Tells when news came in: after the page has done with them what it does at once."""


@contextmanager
def served(house):
    """Serve the console from a thread; yield its address."""
    listener = listening("127.0.0.1", 0)
    config = config_of(site(house.desk))
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser():
    path = browser_path()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield started
        started.close()


def logged_in(house, name, address):
    """Begin a session as the form would; return its cookie."""
    with transaction(house.engine) as connection:
        token = sessions.start(connection, name, house.now)
    return {"name": "keywatch", "value": token, "url": address}


@pytest.fixture
def opened(tmp_path, browser):
    """A page on which ada, an admin, is logged in; whatever goes wrong in it fails the test."""
    house = House(f"sqlite:///{tmp_path / 'keywatch.db'}")
    happened = house.furnish()
    house.user("ada", "admin")
    with served(house) as address:
        context = browser.new_context(base_url=address, viewport={"width": 1200, "height": 900})
        page = context.new_page()
        page.set_default_timeout(20_000)
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: said.type == "error" and faults.append(said.text))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        outside = []
        page.on("request", lambda r: r.url.startswith(address) or outside.append(r.url))
        context.add_cookies([logged_in(house, "ada", address)])
        page.goto("/")
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        yield house, happened, page
        context.close()
    house.engine.dispose()
    assert not faults
    assert not outside


def violations(page):
    """Return what axe finds wrong on the page, with all that can be opened open."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page, options=RULES).response["violations"]
    return [(one["id"], [node["html"][:150] for node in one["nodes"]]) for one in found]


def test_every_page_does_what_wcag_asks_for_in_light_and_dark_and_on_a_phone(opened):
    _, happened, page = opened
    page.goto("/incidents")
    incident = page.locator("tbody a[href^='/incidents/']").first.get_attribute("href")
    for scheme, width in (("light", 1200), ("dark", 390)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        for path in (*PAGES, incident, f"/keys/{happened['loud']}", "/leaks/f0"):
            page.goto(path)
            assert violations(page) == [], (path, scheme)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide"


def test_the_way_in_does_what_wcag_asks_for_and_leads_in(opened):
    page = opened[2]
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def test_refusals_do_what_wcag_asks_for(opened, browser):
    house, _, page = opened
    house.user("vi", "viewer")
    address = page.evaluate("location.origin")
    context = browser.new_context(base_url=address, color_scheme="dark")
    context.add_cookies([logged_in(house, "vi", address)])
    viewer = context.new_page()
    for path, status, title in (
        ("/audit", 403, "Not allowed"),
        ("/nowhere", 404, "There is no such page"),
        ("/keys/key_none", 404, "It cannot be shown"),
    ):
        assert viewer.goto(path).status == status
        expect(viewer.get_by_role("heading", name=title)).to_be_visible()
        assert violations(viewer) == [], path
    context.close()


def test_a_held_action_is_approved_and_undone(opened):
    house, happened, page = opened
    page.goto("/actions?state=held")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_have_text("Done.")
    house.carry_out()
    assert house.store.get(happened["held"]).state == "revoked"
    page.goto("/actions?state=done")
    row = page.locator("tr", has_text=happened["held"])
    row.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_have_text("Done.")
    assert house.store.get(happened["held"]).state == "active"


def test_a_held_action_is_rejected_and_one_that_was_given_up_tried_again(opened):
    house, happened, page = opened
    page.goto("/actions?state=held")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("status")).to_have_text("Done.")
    assert house.store.get(happened["held"]).state == "active"
    with transaction(house.engine) as connection:
        given_up = outbox.c.state == "rejected"
        connection.execute(outbox.update().where(given_up).values(state="dead", error="no answer"))
    page.goto("/actions?state=dead")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status")).to_have_text("Done.")
    house.carry_out()
    assert house.store.get(happened["held"]).state == "revoked"


@pytest.mark.parametrize(
    ("button", "feedback"), [("Resolved", ""), ("Resolved, it was real", "confirmed")]
)
def test_an_incident_is_over(opened, button, feedback):
    house, happened, page = opened
    page.goto("/incidents?severity=critical")
    page.locator("tr", has_text=happened["held"]).get_by_role("link").first.click()
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator(".lead .badge.resolved")).to_be_visible()
    with house.desk.reading() as connection:
        judged = looking.list_alerts(connection, key=happened["held"]).items
    assert {one.feedback for one in judged} == {feedback}


def test_a_throttle_is_lifted_and_a_key_rotated(opened):
    house, happened, page = opened
    key = happened["loud"]
    house.store.restore(key, actor="x")
    house.store.throttle(key, per_min=5, actor="x")
    page.goto(f"/keys/{key}")
    deed = page.locator("details.deed", has=page.get_by_text("Lift throttle and suspension"))
    deed.locator("summary").click()
    deed.get_by_role("button", name="Lift them").click()
    expect(page.locator(".lead .badge.throttled")).to_have_count(0)
    assert house.store.get(key).throttle_per_min is None
    deed = page.locator("details.deed", has=page.get_by_text("Rotate", exact=True))
    deed.locator("summary").click()
    deed.get_by_label("I can put the new secret to use now").check()
    deed.get_by_role("button", name="Rotate it").click()
    expect(page.get_by_role("heading", name="The new key")).to_be_visible()
    assert violations(page) == []
    secret = page.locator("#new-secret").inner_text()
    (found,) = house.store.find([house.store.credential(secret)])
    assert found.key_id == house.store.get(key).rotated_to


def test_an_admin_gives_roles_and_ends_tokens(opened):
    house, _, page = opened
    house.user("olga", "viewer")
    house.token("read", name="deploy")
    page.goto("/people")
    page.get_by_label("Role of olga").select_option("operator")
    page.get_by_role("button", name="Give olga this role").click()
    expect(page.get_by_role("status")).to_have_text("Done.")
    expect(page.get_by_label("Role of olga")).to_have_value("operator")
    page.locator("tr", has_text="deploy").get_by_role("button", name="Revoke").click()
    expect(page.locator("tr", has_text="deploy").locator(".badge.revoked")).to_be_visible()


def test_a_password_is_changed(opened):
    page, again = opened[2], "a longer harbour of lamps"
    page.goto("/account")
    page.get_by_label("The old one").fill(PASSWORD)
    page.get_by_label("The new one, 12 characters or more").fill(again)
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(again)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def test_an_incident_is_taken_on_noted_and_called_false(opened):
    _, happened, page = opened
    page.goto("/incidents?severity=critical")
    page.locator("tr", has_text=happened["held"]).get_by_role("link").first.click()
    page.get_by_role("button", name="I am on it").click()
    expect(page.locator(".lead .badge.acknowledged")).to_be_visible()
    page.get_by_label("Note").fill("called <b>the owner</b>")
    page.get_by_role("button", name="Write it down").click()
    expect(page.locator("ol.story")).to_contain_text("called <b>the owner</b>")
    page.get_by_role("button", name="False alarm").click()
    expect(page.locator(".lead .badge.false")).to_be_visible()


def test_a_key_is_throttled_suspended_revoked_and_restored(opened):
    house, _, page = opened
    key = house.key(owner="dee")
    page.goto("/keys")
    page.get_by_label("Beginning of an id, or an owner").fill("dee")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name=key).click()
    for summary, button, badge in (
        ("Throttle", "Throttle it", ".badge.throttled"),
        ("Suspend", "Suspend it", ".badge.suspended"),
        ("Revoke", "Revoke it", ".badge.revoked"),
        ("Restore", "Restore it", ".badge.active"),
    ):
        deed = page.locator("details.deed", has=page.get_by_text(summary, exact=True))
        deed.locator("summary").click()
        deed.get_by_label("Why (for the audit log)").fill(f"because of {summary}")
        deed.get_by_role("button", name=button).click()
        expect(page.locator(f".lead {badge}")).to_be_visible()
    expect(page.locator("section", has_text="History")).to_contain_text("because of Revoke")


def becomes(page, expression):
    """Wait until it is so; the page's policy forbids what Playwright would wait with."""
    look = (
        f"const t = setInterval(() => {{ if ({expression}) {{ clearInterval(t); done(); }} }}, 20);"
    )
    page.evaluate(f"() => new Promise((done) => {{ {look} }})")


def test_news_arrive_without_a_reload_and_not_under_somebodys_hands(opened):
    house, _, page = opened
    page.goto("/incidents")
    with page.expect_response(lambda answer: "/incidents" in answer.url):
        house.alert(house.key(owner="new-owner"), "critical")
    expect(page.locator("tbody")).to_contain_text("new-owner")
    key = house.key()
    page.add_init_script(HEARD)
    page.goto(f"/keys/{key}")
    becomes(page, "window.listening")
    deed = page.locator("details.deed", has=page.get_by_text("Revoke", exact=True))
    deed.locator("summary").click()
    page.locator("#revoke-reason").fill("half a senten")
    fetched = []
    page.on("request", lambda asked: asked.headers.get("x-requested-for") and fetched.append(1))
    house.alert(key, "critical", summary="another one")
    becomes(page, "window.heard > 0")
    # the news has been here, and nothing was asked for, so nothing can have been put in
    assert fetched == []
    expect(page.locator("#revoke-reason")).to_have_value("half a senten")
    expect(page.locator("#revoke-reason")).to_be_focused()
    assert page.get_by_text("another one").count() == 0
    # and when the hands are off, it comes
    deed.locator("summary").click()
    page.locator("h1").click()
    expect(page.get_by_text("another one").first).to_be_visible()


def test_it_can_be_used_by_keyboard_alone(opened):
    page = opened[2]
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("k")
    expect(page.get_by_role("heading", name="Keys", level=1)).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Beginning of an id, or an owner")).to_be_focused()
    page.get_by_role("button", name="Show").focus()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1.mono")).to_be_visible()


REACHED = """() => [...document.querySelectorAll(
  "a[href], button, input, select, textarea, summary, [tabindex='0']")].filter((one) =>
  !one.disabled && one.type !== "hidden" && one.checkVisibility({visibilityProperty: true})
  && (one.type !== "radio" || one.checked))"""
"""What can be done on a page, in the order in which it stands there."""


def walked(page):
    """Go through the page by Tab; return what was passed, what is there, and what was not seen."""
    count = page.evaluate(f"() => ({REACHED})().length")
    passed, unseen = [], []
    for _ in range(count):
        page.keyboard.press("Tab")
        at, style, width, said = page.evaluate(
            f"""() => {{ const at = document.activeElement, style = getComputedStyle(at);
            return [({REACHED})().indexOf(at), style.outlineStyle, parseFloat(style.outlineWidth),
                    at.outerHTML.slice(0, 120)]; }}"""
        )
        passed.append(at)
        if style == "none" or width < 2:
            unseen.append(said)
    return passed, list(range(count)), unseen


def test_tab_comes_by_everything_in_its_order_and_shows_where_it_is(opened):
    _, happened, page = opened
    page.goto("/incidents")
    incident = page.locator("tbody a[href^='/incidents/']").first.get_attribute("href")
    for path in ("/", incident, f"/keys/{happened['loud']}", "/actions", "/people", "/account"):
        page.goto(path)
        passed, there, unseen = walked(page)
        assert passed == there, path
        assert unseen == [], path


def test_a_form_is_opened_filled_in_and_left_by_keys_and_escape_closes_it(opened):
    _, happened, page = opened
    page.goto(f"/keys/{happened['loud']}")
    form = page.locator("details.deed", has_text="Suspend").first
    form.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(form.locator("input:focus, select:focus, textarea:focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(form).not_to_have_attribute("open", "")
    expect(form.locator("summary")).to_be_focused()


def test_news_leave_the_keyboard_where_it_was(opened):
    house, happened, page = opened
    page.add_init_script(HEARD)
    page.goto("/actions")
    becomes(page, "window.listening")
    row = page.locator("tr", has_text=happened["held"])
    approve = row.get_by_role("button", name="Approve")
    approve.focus()
    house.alert(house.key(owner="new-owner"), "critical")
    becomes(page, "document.documentElement.dataset.news > 0")
    expect(approve).to_be_focused()


def test_keys_of_one_letter_can_be_turned_off(opened):
    page = opened[2]
    page.get_by_role("button", name="Turn keys off").press("Enter")
    page.goto("/keys")
    page.keyboard.press("/")
    expect(page.get_by_label("Beginning of an id, or an owner")).not_to_be_focused()
    page.get_by_role("button", name="Turn keys on").press("Enter")
    page.keyboard.press("/")
    expect(page.get_by_label("Beginning of an id, or an owner")).to_be_focused()


def test_the_theme_is_kept(opened):
    page = opened[2]
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Theme").click()
    page.goto("/keys")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 26)"


def test_hostile_words_run_nowhere(opened):
    _, happened, page = opened
    page.goto("/incidents?state=")
    for path in ("/leaks", "/sources", f"/keys/{happened['loud']}", "/audit"):
        page.goto(path)
        expect(page.locator("main")).to_contain_text("<script>alert(1)")
        assert page.locator("main script, main img").count() == 0


def test_everything_works_where_scripts_do_not_run(opened, browser):
    house, happened, page = opened
    address = page.url.split("/", 3)
    context = browser.new_context(base_url="/".join(address[:3]), java_script_enabled=False)
    plain = context.new_page()
    plain.goto("/login")
    plain.get_by_label("Name").fill("ada")
    plain.get_by_label("Password").fill(PASSWORD)
    plain.get_by_role("button", name="Log in").click()
    plain.goto(f"/keys/{happened['held']}")
    plain.locator("details.deed summary", has_text="Revoke").click()
    plain.get_by_role("button", name="Revoke it").click()
    expect(plain.get_by_role("status")).to_have_text("Done.")
    assert house.store.get(happened["held"]).state == "revoked"
    context.close()
