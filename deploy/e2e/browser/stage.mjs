// What every test of the pages stands on: a headless Chromium, and a watch over
// what a page must not do. What there is to see, and where, the Go test says.
import assert from "node:assert/strict";
import path from "node:path";
import { after, test } from "node:test";
import { chromium } from "playwright-core";

if (!process.env.BROWSER_SHOW) throw new Error("run by `make browser`: it starts what is looked at");
export const show = JSON.parse(process.env.BROWSER_SHOW);
export const patience = 20_000;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium" });
after(() => browser.close());

// watch notes what goes wrong in a context, and what it asks of others.
async function watch(context, origins) {
  const wrong = [];
  context.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") wrong.push(m.text()); });
  context.on("weberror", (e) => wrong.push(String(e.error())));
  await context.addInitScript(() => addEventListener("securitypolicyviolation", (e) => console.error("CSP: " + e.violatedDirective + " " + e.blockedURI)));
  await context.route((url) => !origins.includes(url.origin), (route) => {
    wrong.push("asks for " + route.request().url());
    return route.abort();
  });
  return wrong;
}

// story is a test with a page of its own. Whatever the console says fails it,
// but for what it expects.
export function story(name, options, body) {
  const { at = show.site, expects = [], ...context } = options;
  test(name, { timeout: 90_000 }, async () => {
    const own = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...context });
    own.setDefaultTimeout(patience);
    const wrong = await watch(own, [new URL(at).origin]);
    try {
      await body(await own.newPage(), own, wrong);
      assert.deepEqual(wrong.filter((w) => !expects.some((e) => e.test(w))), [], "the browser complains");
    } finally {
      await own.close();
    }
  });
}

// open goes to a page and waits for it to be live.
export async function open(page, at) {
  await page.goto(at);
  await live(page);
}

export async function live(page) {
  await page.waitForSelector("#banner[data-state=live]", { state: "attached" });
}

export function callPage(name, site = show.site) {
  return new URL("/call/" + show.calls[name].id, site).href;
}

export function row(page, id) {
  return page.locator("#c-" + id);
}

// until waits for a text to fit.
export async function until(locator, text) {
  await locator.filter({ hasText: text }).first().waitFor();
}

export async function rows(page) {
  return page.locator("#rows tr").count();
}

// picture keeps what a page looks like, for people.
export function picture(page, name) {
  return page.screenshot({ path: path.join(show.screenshots, name + ".png"), fullPage: true, animations: "disabled" });
}

// newCall is a call that a test plays itself, step by step.
let calls = 0;
export function newCall(...names) {
  const id = crypto.randomUUID();
  calls += 1;
  const caller = "+4477009" + String(process.pid % 1000).padStart(3, "0") + String(calls).padStart(2, "0");
  const users = names.map((name) => `${name} id=${show.cast[name].userId} userName=${show.cast[name].userName} numbers=+442071838750`).join("\n");
  const happens = async (...lines) => {
    const text = `-- organization --\n${show.organization}\n-- users --\n${users}\n-- call --\ncallId=${id} caller=${caller} called=+442071838750\n${lines.map((l) => "+0s " + l).join("\n")}\n`;
    const answer = await fetch(show.rteSim + "/control/play", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text, all: true, subscribers: 1, wait: true }),
    });
    assert.equal(answer.status, 200, await answer.text());
  };
  return { id, caller, happens };
}

// numbers of the scenes, as nobody is to see them.
export const numbers = Object.values(show.calls).map((c) => c.caller.replace("+", "")).filter(Boolean);
