// Who is let in, and what a page may load.
import assert from "node:assert/strict";
import { live, newCall, open, picture, row, show, story, until } from "./stage.mjs";

const guarded = new URL(show.guarded);
const bare = new URL("/", guarded).href;

story("where others can reach it, it wants the token", { at: bare, expects: [/status of 401/] }, async (page) => {
  for (const at of [bare, bare + "?token=guess", new URL("/call/" + show.calls.told.id, bare).href]) {
    const answer = await page.goto(at);
    assert.equal(answer.status(), 401);
    await until(page.locator("h1"), "This page wants its token");
    await picture(page, "token");
    const text = await page.content();
    assert.ok(!text.includes("agency.example") && !text.includes(guarded.searchParams.get("token")));
  }
});

story("the token is asked for once", { at: bare }, async (page, context) => {
  await page.goto(show.guarded);
  await live(page);
  assert.equal(page.url(), bare, "the token stays in the address");
  const [cookie] = await context.cookies();
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict" && cookie.value !== guarded.searchParams.get("token"), JSON.stringify(cookie));
  await row(page, show.calls.told.id).getByRole("link").click();
  await until(page.locator("h1"), "Jane's screen");
  const other = await context.newPage();
  await open(other, bare);
  const call = newCall("una.vance");
  await call.happens("UserCallInUserAllocated user=una.vance");
  await until(row(other, call.id).locator(".state"), "ringing");
  await call.happens("UserCallInUserConnected user=una.vance", "UserCallInDisconnected user=una.vance reason=local");
});

story("a page runs nothing that does not come from it", { expects: [/Content Security Policy/, /^CSP:/] }, async (page, _, wrong) => {
  await open(page, show.site);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    const style = document.createElement("style");
    style.textContent = "body { display: none }";
    document.body.append(style);
  });
  assert.equal(await page.evaluate(() => window.ran), undefined);
  assert.ok(await page.locator("h1").isVisible());
  assert.ok(wrong.some((w) => w.startsWith("CSP: script-src")), `the watch saw ${wrong}`);
});

story("it answers nothing but reading", { expects: [/status of 405/] }, async (page) => {
  await open(page, show.site);
  const status = await page.evaluate(async () => (await fetch("/", { method: "POST", body: "x" }).catch(() => ({ status: 0 }))).status);
  assert.equal(status, 405);
});
