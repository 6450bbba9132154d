// When NATS goes away.
import assert from "node:assert/strict";
import { live, newCall, open, picture, row, rows, show, story, until } from "./stage.mjs";

const stage = async (what) => assert.equal((await fetch(show.stage + what, { method: "POST" })).status, 200, what);

story("without NATS a banner says so, and with it the rows go on", {}, async (page) => {
  await open(page, show.site);
  await page.evaluate(() => { window.stayed = true; });
  const before = await rows(page);
  await stage("/nats/stop");
  try {
    await until(page.locator("#banner"), "No connection to NATS");
    assert.ok(await page.locator("#banner").isVisible());
    await picture(page, "outage");
    assert.equal(await rows(page), before, "what was known is gone");
  } finally {
    await stage("/nats/start");
  }
  await live(page);
  assert.ok(!(await page.locator("#banner").isVisible()));
  const call = newCall("una.vance");
  await call.happens("UserCallInUserAllocated user=una.vance");
  await until(row(page, call.id).locator(".state"), "ringing");
  await call.happens("UserCallInUserConnected user=una.vance", "UserCallInDisconnected user=una.vance reason=local");
  assert.ok(await page.evaluate(() => window.stayed), "the page was loaded again");
});
