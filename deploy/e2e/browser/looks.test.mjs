// Colours, contrast, what assistive software makes of the pages, and pictures of them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { callPage, open, picture, show, story } from "./stage.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pages = { list: show.site, call: callPage("group"), failure: callPage("rejected") };

// faint lists the texts whose contrast to what is behind them is less than 4.5.
function faint() {
  const colour = (s) => {
    const [r, g, b, a = 1] = s.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const c = colour(getComputedStyle(at).backgroundColor);
      if (c.a === 1) return c;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const under = (e) => { // in a drawing a text may stand on a box of its group
    const box = e.parentElement.matches(".diagram g") && e.parentElement.querySelector(":scope > rect");
    return box ? colour(getComputedStyle(box).fill) : ground(e);
  };
  const out = [];
  let least = 21;
  for (const e of document.querySelectorAll("body *")) {
    const own = Array.from(e.childNodes).some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!own || e.closest("title, script, style") || !e.checkVisibility()) continue;
    const s = getComputedStyle(e);
    const [a, b] = [light(colour(e instanceof SVGElement ? s.fill : s.color)), light(under(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    least = Math.min(least, contrast);
    if (contrast < 4.5) out.push(`${contrast.toFixed(2)}: ${e.textContent.trim().slice(0, 40)}`);
  }
  return { out: [...new Set(out)], least };
}

const grounds = {};
for (const colorScheme of ["light", "dark"]) {
  for (const [name, at] of Object.entries(pages)) {
    story(`${name}, ${colorScheme}: it can be read, and has no serious violation of accessibility`, { colorScheme }, async (page) => {
      await open(page, at);
      await picture(page, `${name}-${colorScheme}`);
      await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
      const { out, least } = await page.evaluate(faint);
      assert.deepEqual(out, [], "too faint");
      assert.ok(least < 21, "nothing was measured");
      await page.evaluate(axe);
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      const serious = found.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
      assert.deepEqual(serious.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`), []);
      grounds[name] ??= {};
      grounds[name][colorScheme] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].join());
      if (colorScheme === "dark") assert.notEqual(grounds[name].dark, grounds[name].light);
    });
  }
}
