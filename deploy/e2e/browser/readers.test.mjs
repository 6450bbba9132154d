// Who is kept up to date, and who is not.
import assert from "node:assert/strict";
import { live, open, patience, show, story, until } from "./stage.mjs";

const asksForEvents = (url) => url.pathname === "/events";

story("a reader who is refused is told so, and tried again", { expects: [/503/] }, async (page) => {
  let refusals = 2;
  await page.route(asksForEvents, (route) => (refusals-- > 0 ? route.fulfill({ status: 503, body: "too many" }) : route.continue()));
  await page.goto(show.site);
  await until(page.locator("#banner"), "it is tried again every 5 seconds");
  await live(page);
  assert.ok(refusals < 0, "it was not tried again");
});

story("a tab that is hidden takes nobody's place, and is renewed when it is shown", {}, async (page) => {
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  const first = page.waitForRequest((r) => asksForEvents(new URL(r.url())));
  await open(page, show.site);
  const closed = page.waitForEvent("requestfailed", { predicate: (r) => asksForEvents(new URL(r.url())), timeout: patience });
  await first;
  await hide(true);
  await closed;
  const again = page.waitForRequest((r) => asksForEvents(new URL(r.url())));
  await hide(false);
  await again;
  await live(page);
});
