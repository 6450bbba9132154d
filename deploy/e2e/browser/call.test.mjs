// The page of a call.
import assert from "node:assert/strict";
import { callPage, newCall, numbers, open, row, show, story, until } from "./stage.mjs";

// clashes lists the texts of a drawing that lie on each other or reach out of it.
function clashes(svg) {
  const texts = Array.from(svg.querySelectorAll("text"), (t) => ({ text: t.textContent, box: t.getBBox() })).filter((t) => t.text);
  const size = svg.viewBox.baseVal;
  const out = [];
  texts.forEach(({ text, box: a }, i) => {
    if (a.x < 0 || a.y < 0 || a.x + a.width > size.width || a.y + a.height > size.height) out.push(text + " is cut off");
    for (const { text: other, box: b } of texts.slice(i + 1)) {
      const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
      const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
      if (wide > 2 && high > 3) out.push(`${text} | ${other}`);
    }
  });
  return out;
}

story("a call says first what replay explain says, and nothing of its diagram hides something else", {}, async (page) => {
  for (const [name, call] of Object.entries(show.calls)) {
    await open(page, callPage(name));
    assert.equal((await page.locator("h1").textContent()).trim(), call.says, name);
    assert.deepEqual(await page.locator("svg.diagram").evaluate(clashes), [], name);
  }
});

const lanes = (page) => page.locator("svg.diagram .lane .title").allTextContents();

story("the diagram has a lane for each service and each negotiator", {}, async (page) => {
  await open(page, callPage("group"));
  assert.deepEqual(await lanes(page), ["hub", "ingest", "transform", "deliver", "Jane", "Tom", "Sara", "Ali", "Anna Bell", "Ben Carter"]);
  assert.equal(await page.locator("svg.diagram .message.good").count(), 18, "arrows to screens");
  assert.equal(await page.locator("svg.diagram .foot.good").count(), 6);
  const ends = await page.locator("svg.diagram .message.good path.head").evaluateAll((heads) => heads.map((h) => Math.round(h.getBBox().x + h.getBBox().width)));
  const at = await page.locator("svg.diagram .lane.screen > line").evaluateAll((lines) => lines.map((l) => Math.round(l.x1.baseVal.value)));
  assert.deepEqual([...new Set(ends)].sort((a, b) => a - b), at, "arrows end at the lanes");
  const out = await page.locator("svg.diagram .message.good .label").evaluateAll((labels) => {
    const seen = labels[0].closest(".scroll").getBoundingClientRect().right;
    return labels.filter((l) => l.getBoundingClientRect().right > seen).map((l) => l.textContent);
  });
  assert.deepEqual(out, [], "one has to scroll to read what an arrow is");
});

story("what failed is marked as failed", {}, async (page) => {
  for (const [name, who, foot] of [["rejected", "Cat Dunn", "rejected"], ["dead", "Ida Jarvis", "refused"], ["expired", "Tim Usher", "Reapit in trouble"], ["unmapped", "Nobody", "no negotiator"]]) {
    await open(page, callPage(name));
    assert.deepEqual((await lanes(page)).slice(4), [who], name);
    assert.ok(await page.locator("svg.diagram .message.bad path.cross.bad").count() > 0, `${name} has no cross`);
    await until(page.locator("svg.diagram .foot.bad"), foot);
    await until(page.locator(".verdict.bad"), `not told: ${foot}`);
  }
  await open(page, callPage("unmapped"));
  assert.ok(await page.locator("svg.diagram path.arrow.bad.dashed").count() > 0, "what was never sent is drawn as sent");
  await open(page, callPage("rejected"));
  assert.equal(await page.locator("svg.diagram path.letter").count(), 1, "no dead letter");
  await open(page, callPage("gap"));
  assert.ok(await page.locator("svg.diagram rect.uncovered").count() > 0, "no gap");
});

story("the timeline has each message, in the order of their times", {}, async (page) => {
  await open(page, callPage("told"));
  const where = await page.locator(".timeline tbody td.where").allTextContents();
  assert.equal(where.filter((w) => w.startsWith("RTE")).length, 4);
  assert.equal(where.filter((w) => w.startsWith("CALLS")).length, 3);
  assert.equal(where.filter((w) => w.startsWith("DELIVERIES")).length, 3);
  const times = await page.locator(".timeline tbody time").evaluateAll((all) => all.map((t) => Date.parse(t.dateTime)));
  assert.deepEqual(times, times.toSorted((a, b) => a - b));
});

story("the messages open as they are, without full numbers", {}, async (page) => {
  await open(page, callPage("rejected"));
  const messages = page.locator("details.message");
  const n = await messages.count();
  assert.ok(n >= 5, `${n} messages`);
  const first = messages.first();
  assert.ok(!(await first.locator("pre.json").isVisible()));
  await first.locator("summary").click();
  await first.locator("pre.json").waitFor();
  const body = JSON.parse(await first.locator("pre.json").textContent());
  assert.equal(body.data.callerNumber ?? body.data.CallerNumber, "…" + show.calls.rejected.caller.slice(-3));
  await until(first.locator("pre.headers"), "ce-type: com.enreachvoice.rte.UserCallInComing");
  for (const body of await messages.locator("pre.json").allTextContents()) JSON.parse(body);
  const all = await page.content();
  for (const number of numbers) assert.ok(!all.includes(number), `${number} stands there in full`);
});

story("with --numbers a message has them in full", { at: show.numbers }, async (page) => {
  await open(page, callPage("rejected", show.numbers));
  await page.locator("details.message summary").first().click();
  await until(page.locator("details.message pre.json").first(), show.calls.rejected.caller);
  await until(page.locator(".facts"), show.calls.rejected.caller);
});

story("a call that goes on says so", {}, async (page) => {
  const call = newCall("una.vance");
  await call.happens("UserCallInUserAllocated user=una.vance");
  await open(page, show.site);
  await row(page, call.id).getByRole("link").click();
  await until(page.locator(".facts .state"), "ringing");
  await call.happens("UserCallInUserConnected user=una.vance");
  await page.locator("#renew").click();
  await until(page.locator(".facts .state"), "talking");
  await call.happens("UserCallInDisconnected user=una.vance reason=local");
  await page.locator("#renew").waitFor();
});

story("of an unknown call it says what to try", { expects: [/status of 404/] }, async (page) => {
  await page.goto(new URL("/call/00000000-93d2-4b7e-8a61-000000000000", show.site).href);
  await until(page.locator("h1"), "No stream holds anything of this call");
  await until(page.locator("main"), "RTE reaches back to");
  await page.getByRole("link", { name: "To the list of calls" }).click();
  await row(page, show.calls.told.id).waitFor();
});
