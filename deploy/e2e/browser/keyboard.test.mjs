// Without a mouse.
import assert from "node:assert/strict";
import { live, open, row, show, story, until } from "./stage.mjs";

const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.tagName);

// seen says how the focus is drawn.
const seen = (page) => page.evaluate(() => {
  const at = document.activeElement;
  return [getComputedStyle(at), getComputedStyle(at, "::after")].some((s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2);
});

story("a call is searched, opened and left by keys alone", {}, async (page) => {
  await open(page, show.site);
  await page.keyboard.press("/");
  assert.equal(await focused(page), "q");
  assert.ok(await seen(page), "the focus is not seen in the search");
  await page.keyboard.type("tim.usher");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=tim.usher/);
  await live(page);
  await page.keyboard.press("j");
  assert.equal(await focused(page), "row");
  assert.ok(await seen(page), "the focus is not seen on a row");
  await page.keyboard.press("Enter");
  await until(page.locator("h1"), "Tim Usher's screen");
  await page.goBack();
  await row(page, show.calls.expired.id).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("q"), "tim.usher");
});

story("rows are walked with j and k, arrows and Tab", {}, async (page) => {
  await open(page, show.site);
  const at = () => page.evaluate(() => Array.from(document.querySelectorAll("#rows a.row")).indexOf(document.activeElement));
  for (const [key, want] of [["j", 0], ["j", 1], ["k", 0], ["k", 0], ["ArrowDown", 1], ["ArrowUp", 0], ["Tab", 1], ["Tab", 2], ["Shift+Tab", 1]]) {
    await page.keyboard.press(key);
    assert.equal(await at(), want, key);
    assert.ok(await seen(page), `the focus is not seen after ${key}`);
  }
  await page.keyboard.press("Escape");
  assert.equal(await at(), -1);
});

story("the first Tab leads to the content", {}, async (page) => {
  for (const at of [show.site, new URL("/call/" + show.calls.told.id, show.site).href]) {
    await open(page, at);
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "skip");
    const box = await page.locator(".skip").boundingBox();
    assert.ok(box.y >= 0 && box.x >= 0, "the skip link is not seen");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement.closest("main") !== null), "it does not lead into the content");
  }
});

story("everything that can be used is reached by Tab, and seen", {}, async (page) => {
  for (const at of [show.site, new URL("/call/" + show.calls.rejected.id, show.site).href]) {
    await open(page, at);
    const wanted = await page.locator("a[href]:not([tabindex='-1']):visible, button:visible, input:not([type=hidden]):visible, summary:visible").count();
    const reached = new Set();
    for (let i = 0; i < wanted + 10; i++) {
      await page.keyboard.press("Tab");
      const one = await page.evaluate(() => {
        const all = Array.from(document.querySelectorAll("*"));
        return document.activeElement === document.body ? -1 : all.indexOf(document.activeElement);
      });
      if (one < 0 || reached.has(one)) break;
      reached.add(one);
      assert.ok(await seen(page), `the focus is not seen on ${await focused(page)}`);
    }
    assert.ok(reached.size >= wanted, `${reached.size} of ${wanted} are reached on ${at}`);
  }
});
