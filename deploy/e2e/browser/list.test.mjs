// The list of calls.
import assert from "node:assert/strict";
import { callPage, live, newCall, numbers, open, picture, row, rows, show, story, until } from "./stage.mjs";

const states = { told: "ended", group: "ended", unmapped: "missed", rejected: "missed", dead: "missed", expired: "missed", withheld: "missed", outbound: "ended", gap: "missed" };
const screens = {
  told: /Jane\s*JAS\s*told/, group: /Jane.*Tom.*Sara.*Ali.*Anna Bell.*Ben Carter/s, unmapped: /Nobody\s*no negotiator/, rejected: /Cat Dunn\s*CAT\s*rejected/,
  dead: /Ida Jarvis\s*IDA\s*refused/, expired: /Tim Usher\s*TIM\s*Reapit in trouble/, withheld: /Sara\s*SAR\s*told/, outbound: /Ali\s*outbound/, gap: /Ola Price/,
};

async function showsEveryCall(page) {
  for (const [name, call] of Object.entries(show.calls)) {
    await until(row(page, call.id).locator(".state"), states[name]);
    await until(row(page, call.id).locator(".screens"), screens[name]);
    await until(row(page, call.id).locator(".caller"), call.caller ? "…" + call.caller.slice(-3) : "withheld");
  }
  await until(row(page, show.calls.gap.id).locator(".caller"), "coverage gap");
  await until(row(page, show.calls.group.id).locator(".caller"), "group");
  const text = await page.content();
  for (const n of numbers) assert.ok(!text.includes(n), `${n} stands there in full`);
}

story("the list shows every call, its state and whose screen was told", {}, async (page) => {
  await open(page, show.site);
  await showsEveryCall(page);
});

story("without JavaScript the list is the same", { javaScriptEnabled: false }, async (page) => {
  await open(page, show.site);
  await showsEveryCall(page);
  await page.getByLabel("Search").fill("cat.dunn@agency.example");
  await page.getByRole("button", { name: "Find" }).click();
  await until(page.locator("#found"), "1 call of");
  await row(page, show.calls.rejected.id).getByRole("link").click();
  await until(page.locator("h1"), "Cat Dunn's screen");
});

story("with --numbers the numbers are shown", { at: show.numbers }, async (page) => {
  await open(page, show.numbers);
  await until(row(page, show.calls.told.id).locator(".caller"), show.calls.told.caller);
});

story("a call appears, is answered and ends while one looks", {}, async (page) => {
  await open(page, show.site);
  await page.evaluate(() => { window.stayed = true; });
  const before = await rows(page);
  const call = newCall("una.vance", "vic.walsh");
  const state = row(page, call.id).locator(".state");
  await call.happens("UserCallInUserAllocated user=una.vance", "UserCallInUserAllocated user=vic.walsh");
  await until(state, "ringing");
  assert.equal(await rows(page), before + 1);
  assert.equal(await page.locator("#rows tr").first().getAttribute("id"), "c-" + call.id, "the newest is not the first");
  await until(row(page, call.id).locator(".screens"), /Una Vance\s*UNA\s*told.*Vic Walsh\s*VIC\s*told/s);
  await call.happens("UserCallInUserConnected user=vic.walsh");
  await until(state, "talking");
  await call.happens("UserCallInHoldStart user=vic.walsh");
  await until(state, "on hold");
  await call.happens("UserCallInDisconnected user=vic.walsh reason=local");
  await until(state, "ended");
  assert.ok(await page.evaluate(() => window.stayed), "the page was loaded again");
});

// A row that has the focus stays where it is, and tells of what is new.
story("while a row has the focus none moves", {}, async (page) => {
  await open(page, show.site);
  await page.keyboard.press("j");
  const focused = await page.evaluate(() => document.activeElement.closest("tr").id);
  const call = newCall("una.vance");
  await call.happens("UserCallInUserAllocated user=una.vance");
  await until(page.locator("#held"), "1 call more: show");
  assert.equal(await row(page, call.id).count(), 0);
  assert.equal(await page.locator("#rows tr").first().getAttribute("id"), focused);
  await page.locator("#held").click();
  await row(page, call.id).waitFor();
  await call.happens("UserCallInUserConnected user=una.vance", "UserCallInDisconnected user=una.vance reason=local");
});

const searches = {
  "the digits a number ends with": ["0104", "rejected"],
  "a number as it is dialled here": ["07700 900 104", "rejected"],
  "an e-mail address": ["cat.dunn@agency.example", "rejected"],
  "a name": ["Cat Dunn", "rejected"],
  "the id of a user": [show.cast["cat.dunn"].userId, "rejected"],
  "a negotiator": ["cat", "rejected"],
  "the id of a call": [show.calls.expired.id, "expired"],
  "the id in capitals": [show.calls.expired.id.toUpperCase(), "expired"],
};

story("the search finds a call by each of its names", {}, async (page) => {
  await open(page, show.site);
  for (const [by, [text, want]] of Object.entries(searches)) {
    await page.getByLabel("Search").fill(text);
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.searchParams.get("q") === text);
    await live(page);
    assert.equal(await rows(page), 1, by);
    assert.equal(await row(page, show.calls[want].id).count(), 1, by);
    assert.equal(await page.getByLabel("Search").inputValue(), text);
  }
  await page.goto(show.site + "?q=" + encodeURIComponent('<img src=x onerror="alert(1)">'));
  await until(page.locator("#rows"), "No call of the last hour fits");
  assert.equal(await page.locator("main img").count(), 0);
  await page.getByRole("link", { name: "Show all" }).click();
  await row(page, show.calls.told.id).waitFor();
});

story("a search is kept up to date too", {}, async (page) => {
  const call = newCall("una.vance");
  await open(page, show.site + "?q=" + call.caller.slice(-5));
  assert.equal(await page.locator("#rows tr").count(), 0);
  await call.happens("UserCallInUserAllocated user=una.vance");
  await until(row(page, call.id).locator(".state"), "ringing");
  await page.getByRole("link", { name: "Ringing now" }).click();
  await until(row(page, call.id).locator(".state"), "ringing");
  await call.happens("UserCallInUserConnected user=una.vance", "UserCallInDisconnected user=una.vance reason=local");
  await row(page, call.id).waitFor({ state: "detached" });
});

story("filters show who was not told", {}, async (page) => {
  await open(page, show.site);
  await page.getByRole("link", { name: "Not told" }).click();
  await page.waitForURL(/show=not-told/);
  await live(page);
  for (const name of ["unmapped", "rejected", "dead", "expired", "gap"]) assert.equal(await row(page, show.calls[name].id).count(), 1, name);
  for (const name of ["told", "group", "withheld", "outbound"]) assert.equal(await row(page, show.calls[name].id).count(), 0, name);
  assert.equal(await page.getByRole("link", { name: "Not told" }).getAttribute("aria-current"), "page");
});

// boxes are where the first of each is, at one moment: the list is renewed all the time.
function boxes(page, ...selectors) {
  return page.evaluate((all) => all.map((s) => {
    const { y, width, height } = document.querySelector(s)?.getBoundingClientRect() ?? { y: 0, width: 0, height: 0 };
    return { y, width, height };
  }), selectors);
}

story("coverage and latency of the last hour are drawn", {}, async (page) => {
  await open(page, show.site);
  const strip = page.locator("figure", { has: page.getByRole("heading", { name: "Coverage" }) });
  await until(strip, /\d gaps?/);
  const [covered, gap] = await boxes(page, "svg rect.covered", "svg rect.uncovered");
  assert.ok(gap.width >= 1 && Math.abs(gap.y - covered.y) < 2, "the gap is not on the strip");
  await strip.locator("summary").click();
  await until(strip.locator("table"), "lost: the connection broke");

  const plot = page.locator("figure", { has: page.getByRole("heading", { name: "Time to the first POST" }) });
  for (const type of ["incoming", "answered", "ended", "missed"]) {
    const [box] = await boxes(page, "svg.chart path.t-" + type);
    assert.ok(box.width > 0 && box.height > 0, `no ${type} is drawn`);
  }
  await plot.locator("summary").click();
  await until(plot.locator("table"), /incoming\s*\d+/);
  const title = await page.evaluate((href) => document.querySelector(`svg a[href="${href}"]:has(.failed) title`)?.textContent, new URL(callPage("rejected")).pathname);
  assert.match(title, /^incoming for CAT, rejected: /);
});

story("the window may be 400 pixels wide", { viewport: { width: 400, height: 800 }, expects: [/status of 404/] }, async (page) => {
  for (const [name, at] of Object.entries({ list: show.site, call: callPage("group"), failure: callPage("rejected"), refusal: new URL("/nowhere", show.site).href })) {
    await page.goto(at);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(over, 0, `${at} is wider than the window by ${over}`);
    await picture(page, name + "-narrow");
  }
  await open(page, show.site);
  await row(page, show.calls.expired.id).getByRole("link").click();
  await until(page.locator("h1"), "Tim Usher's screen");
  const what = await page.locator(".timeline tbody tr td:last-child").first().boundingBox();
  assert.ok(what.width > 200, `what happened has ${what.width} pixels`);
});
