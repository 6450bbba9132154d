// A list of many calls.
import assert from "node:assert/strict";
import { live, open, rows, show, story, until } from "./stage.mjs";

const { site, calls } = show.crowd;
const wanted = 1000; // ms
const bound = show.strict ? wanted : 10_000;

story(`a list of ${calls} calls loads within a second`, { at: site }, async (page) => {
  await page.goto(site);
  await until(page.locator("#found"), `${calls} calls`);
  await live(page);
  const took = [];
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    await page.goto(site, { waitUntil: "commit" });
    await page.locator("#rows tr").first().waitFor();
    const visible = performance.now() - began;
    await page.waitForLoadState("load");
    const load = await page.evaluate(() => performance.getEntriesByType("navigation")[0].loadEventStart);
    took.push({ visible, load });
  }
  const of = (what) => took.map((t) => t[what]).sort((a, b) => a - b);
  for (const what of ["load", "visible"]) {
    const all = of(what);
    console.log(`${calls} calls, ${what}: median ${all[2].toFixed(0)} ms, worst ${all[4].toFixed(0)} ms of ${all.length} (wanted: under ${wanted} ms)`);
    assert.ok(all[2] < bound, `${what}: ${all[2]} ms`);
  }
});

story("many calls are paged", { at: site }, async (page) => {
  await open(page, site);
  const first = await page.locator("#rows tr").first().getAttribute("id");
  const n = await rows(page);
  const pages = Math.ceil(calls / n);
  await until(page.locator(".pages"), `page 1 of ${pages}`);
  await page.getByRole("link", { name: "older" }).click();
  await until(page.locator(".pages"), `page 2 of ${pages}`);
  assert.equal(await rows(page), n);
  assert.equal(await page.locator("#rows tr#" + first).count(), 0);
  await page.getByRole("link", { name: "newer" }).click();
  await page.locator("#rows tr#" + first).waitFor();
  await page.goto(site + "?page=" + pages);
  await until(page.locator(".pages"), `page ${pages} of ${pages}`);
  assert.equal(await page.getByRole("link", { name: "older" }).count(), 0);
});

story("one is found among many", { at: site }, async (page) => {
  await open(page, site + "?q=" + String(calls - 1).padStart(5, "0"));
  await until(page.locator("#found"), "1 call of");
  assert.equal(await rows(page), 1);
  await open(page, site + "?q=user01@agency.example");
  await until(page.locator("#found"), `${Math.ceil(calls / 40)} calls of`);
});
