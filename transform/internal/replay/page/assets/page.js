// What the server renders is shown as it comes; everything works without this, by reloading.
"use strict";

const byId = (id) => document.getElementById(id);
const rowLinks = () => Array.from(document.querySelectorAll("#rows a.row"));

// Keys.
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const search = byId("q");
  const writing = e.target instanceof HTMLInputElement;
  if (writing && e.key === "Escape") {
    e.preventDefault();
    search.blur();
    return;
  }
  if (writing) {
    if (e.key === "ArrowDown" && step(1)) e.preventDefault();
    return;
  }
  if (e.key === "/" && search) {
    e.preventDefault();
    search.focus();
    search.select();
  } else if ((e.key === "j" || e.key === "ArrowDown") && step(1)) {
    e.preventDefault();
  } else if ((e.key === "k" || e.key === "ArrowUp") && step(-1)) {
    e.preventDefault();
  } else if (e.key === "Escape" && document.activeElement instanceof HTMLElement) {
    document.activeElement.blur();
  }
});

// step moves to another row, where a row is what the keys can be about.
function step(by) {
  const focus = document.activeElement;
  const elsewhere = focus && focus !== document.body && !focus.closest("#rows") && focus.id !== "q";
  const rows = rowLinks();
  if (rows.length === 0 || elsewhere) return false;
  const at = rows.indexOf(focus);
  const to = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
  rows[to].focus();
  return true;
}

// A list that is kept up to date. While a row has the focus none moves: what is
// known of it is renewed in its place, and what is new waits.
let waiting = null;

function takeList(html) {
  const next = new DOMParser().parseFromString(html, "text/html").body;
  for (const id of ["banner", "figures"]) swap(id, next);
  swapCharts(next);
  if (document.activeElement && document.activeElement.closest("#rows")) {
    waiting = next;
    renewRows(next);
    return;
  }
  showList(next);
}

function swap(id, next) {
  const now = byId(id);
  const then = next.querySelector("#" + id);
  if (now && then && now.outerHTML !== then.outerHTML) now.replaceWith(then.cloneNode(true));
}

// swapCharts leaves open what a reader has opened, and alone what has the focus.
function swapCharts(next) {
  const now = byId("charts");
  const then = next.querySelector("#charts");
  if (!now || !then || now.contains(document.activeElement)) return;
  const open = Array.from(now.querySelectorAll("details"), (d) => d.open);
  const fresh = then.cloneNode(true);
  fresh.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
  now.replaceWith(fresh);
}

function ids(root) {
  return new Set(Array.from(root.querySelectorAll("#rows tr"), (row) => row.id));
}

function showList(next) {
  const before = ids(document);
  const had = byId("rows") !== null && before.size > 0;
  swap("list", next);
  waiting = null;
  const fresh = Array.from(document.querySelectorAll("#rows tr")).filter((row) => had && !before.has(row.id));
  fresh.forEach((row) => row.classList.add("fresh"));
  if (fresh.length > 0) say(many(fresh.length) + " more");
}

function renewRows(next) {
  for (const row of document.querySelectorAll("#rows tr")) {
    const then = next.querySelector("#" + CSS.escape(row.id));
    if (!then) continue;
    row.className = then.className;
    Array.from(row.cells).forEach((cell, i) => {
      const other = then.cells[i];
      if (other && cell.outerHTML !== other.outerHTML && !cell.contains(document.activeElement)) cell.replaceWith(other.cloneNode(true));
    });
  }
  const shown = ids(document);
  const fresh = Array.from(ids(next)).filter((id) => !shown.has(id)).length;
  const held = byId("held");
  if (!held) return;
  const text = many(fresh) + " more: show";
  if (fresh > 0 && held.textContent !== text) say(many(fresh) + " more");
  held.textContent = text;
  held.hidden = fresh === 0;
}

function many(n) {
  return n === 1 ? "1 call" : n + " calls";
}

document.addEventListener("click", (e) => {
  if (e.target instanceof Element && e.target.id === "held" && waiting) {
    showList(waiting);
    const first = rowLinks()[0];
    if (first) first.focus();
  }
});

document.addEventListener("focusout", () => {
  setTimeout(() => {
    const focus = document.activeElement;
    if (waiting && !(focus && focus.closest("#list"))) showList(waiting);
  }, 0);
});

// say tells a screen reader, but not all the time.
let said = 0;
function say(text) {
  const now = Date.now();
  if (now - said < 5000) return;
  said = now;
  byId("said").textContent = text;
}

// A call that has gone on says so, and leaves the page as it is.
function takeCall(heard) {
  const renew = byId("renew");
  if (!renew.hidden || Number(heard) <= Number(document.body.dataset.heard)) return;
  renew.hidden = false;
  byId("said").textContent = renew.textContent;
}

function connection(text) {
  const banner = byId("banner");
  if (!banner) return;
  if (text) {
    banner.dataset.state = "cut";
    banner.className = "banner lost";
    banner.textContent = text;
    banner.hidden = false;
  } else if (!text && banner.dataset.state === "cut") {
    banner.dataset.state = "live";
    banner.hidden = true;
  }
}

// The browser itself tries again where a connection was cut off, but not where
// it was refused, as when there are too many readers already.
const tryAgain = 5000;
const unanswered = "replay serve does not answer. What is shown is as it was; it goes on by itself when it is back.";
const refused = "replay serve does not keep this page up to date now: too many may be open. What is shown is as it was; it is tried again every 5 seconds.";

const about = document.body.dataset.events;
let source = null;
let retry = 0;

function listen() {
  leave();
  const query = new URLSearchParams(about === "list" ? location.search : { call: document.body.dataset.call });
  source = new EventSource("/events?" + query);
  source.addEventListener("open", () => connection(""));
  source.addEventListener("error", failed);
  source.addEventListener("list", (e) => takeList(e.data));
  source.addEventListener("call", (e) => takeCall(e.data));
}

function leave() {
  clearTimeout(retry);
  if (source) source.close();
  source = null;
}

function failed() {
  const final = source && source.readyState === EventSource.CLOSED;
  connection(final ? refused : unanswered);
  if (final) retry = setTimeout(listen, tryAgain);
}

// Nobody looks at a tab that is hidden: its place is another's. The first that a
// reader is told is how everything stands.
if (about && "EventSource" in window) {
  const look = () => (document.hidden ? leave() : listen());
  look();
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
}
