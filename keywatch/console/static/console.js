// What the pages gain where scripts run: a theme, keys, and news without a reload. All of it can
// be done without; nothing is evaluated, and what the server sends is put in as the page it is.
"use strict";

const root = document.documentElement;
const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private */ } };
if (kept("theme")) root.dataset.theme = kept("theme");

document.addEventListener("DOMContentLoaded", () => {
  const isDark = () => root.dataset.theme === "dark" ||
    (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const theme = document.querySelector("#theme");
  if (theme) {
    theme.hidden = false;
    theme.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      keep("theme", root.dataset.theme);
    });
  }

  // Escape closes the form that is open, and goes back to where it was opened
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = event.target.closest("details[open]") || document.querySelector("details[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });

  // g and a letter goes to a page; j and k walk along rows, Enter opens one; / looks for something.
  // Who dictates or rests a hand on the keys can turn that off (WCAG 2.1.4).
  const keysOff = () => kept("keys") === "off";
  const turn = document.querySelector("#keys");
  if (turn) {
    const tell = () => { turn.textContent = keysOff() ? "Turn keys on" : "Turn keys off"; };
    turn.hidden = false;
    tell();
    turn.addEventListener("click", () => { keep("keys", keysOff() ? "on" : "off"); tell(); });
  }
  let going = false;
  const rows = () => [...document.querySelectorAll("tbody tr[data-href]")];
  const walk = (step) => {
    const all = rows();
    const held = all.findIndex((row) => row.contains(document.activeElement));
    const here = held < 0 ? all.findIndex((row) => row.classList.contains("at")) : held;
    const next = all[Math.min(Math.max(here + step, 0), all.length - 1)];
    if (!next) return;
    all.forEach((row) => row.classList.remove("at"));
    next.classList.add("at");
    next.querySelector("a").focus();
  };
  document.addEventListener("keydown", (event) => {
    if (keysOff() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    if (going) {
      going = false;
      const link = document.querySelector(`nav.main a[data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
    } else if (event.key === "g") going = true;
    else if (event.key === "j") walk(1);
    else if (event.key === "k") walk(-1);
    else if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) { search.focus(); event.preventDefault(); }
    }
  });

  // News: the page is asked for again and its main part put in, unless somebody is at work in it.
  const main = document.querySelector("main[data-live]");
  if (!main || !window.EventSource) return;
  const isBusy = () => main.querySelector("details.deed[open]") ||
    main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  // What somebody is at, by what it does: the same one is there again after the news
  const does = (one) => [one.tagName, one.getAttribute("href"), one.getAttribute("aria-label"),
    one.closest("form")?.getAttribute("action"), one.matches(".scroll") ? "" : one.textContent].join();
  const reached = "a[href], button, summary, [tabindex]";
  let isDue = false;
  const refresh = async () => {
    if (isBusy() || document.hidden) { isDue = true; return; }
    isDue = false;
    const answer = await fetch(location.href, { headers: { "X-Requested-For": "news" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main");
    if (!fresh || isBusy()) { isDue = true; return; }
    const at = document.activeElement;
    const held = main !== at && main.contains(at) ? does(at) : "";
    main.replaceChildren(...fresh.childNodes);
    root.dataset.news = String(Number(root.dataset.news || 0) + 1);
    if (held) [...main.querySelectorAll(reached)].find((one) => does(one) === held)?.focus();
  };
  const events = new EventSource("/events");
  events.addEventListener("change", refresh);
  events.addEventListener("end", () => { events.close(); location.reload(); });
  document.addEventListener("visibilitychange", () => { if (isDue) refresh(); });
  main.addEventListener("focusout", () => setTimeout(() => { if (isDue) refresh(); }, 300));
});
