/** A report in a browser: nothing to scroll sideways on a phone, tables that sort and filter, and nothing that its policy forbids. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderReport } from "../src/report/inner.ts";
import { launchChromium } from "./browser/chromium.ts";
import { sampleReport } from "./sample-report.ts";

const browser = await launchChromium();

describe("a report in headless Chromium", () => {
  if ("because" in browser) return void test.skip(browser.because, () => {});
  const folder = mkdtempSync(join(tmpdir(), "avocet-report-"));
  const long = "a/very/long/path/that/has/no/spaces/".repeat(4);
  const report = {
    ...sampleReport(`${long}net.onnx`),
    warnings: [{ kind: "slower" as const, text: `slower ${long}` }],
  };
  const urlOf = (name: string) => pathToFileURL(join(folder, name)).href;

  beforeAll(() => {
    writeFileSync(join(folder, "one.html"), renderReport([{ name: "one", report }]));
    writeFileSync(join(folder, "two.html"), renderReport([{ name: "one", report }, { name: long, report: sampleReport() }])); // biome-ignore format: two runs
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([
    ["one.html", 420],
    ["two.html", 420],
    ["one.html", 1280],
  ])("%s at %i pixels does not scroll sideways, and breaks no policy", async (name, width) => {
    const page = await browser.newPage({ viewport: { width, height: 800 } });
    const faults: string[] = [];
    page.on("console", (message) => faults.push(message.text()));
    page.on("pageerror", (error) => faults.push(String(error)));
    await page.goto(urlOf(name));
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    const wide = await page.evaluate(() =>
      [document.documentElement, ...document.querySelectorAll(".card, table")]
        .filter((e) => e.scrollWidth > e.clientWidth)
        .map((e) => `${e.className} ${e.scrollWidth} > ${e.clientWidth}: ${e.textContent?.slice(0, 60)}`),
    );
    expect(wide).toEqual([]);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("layers are sorted by numbers and by names, and filtered by words", async () => {
    const page = await browser.newPage();
    await page.goto(urlOf("one.html"));
    // The layers of the network come first; weights before and after are a table of their own.
    const rows = () =>
      page.evaluate(() =>
        [...document.querySelector(".sheet")!.querySelectorAll<HTMLTableRowElement>("tbody tr")]
          .filter((row) => !row.hidden)
          .map((row) => row.cells[0]!.innerText),
      );
    const head = (title: string) => page.locator(".sheet").first().locator("th", { hasText: title });
    expect((await rows()).slice(0, 2)).toEqual(["conv_0", "conv_1"]);
    await head("MACs").click();
    await head("MACs").click();
    expect((await rows())[0]).toBe("conv_28");
    await head("SQNR").click();
    // Rows without decibels come last in either direction.
    expect((await rows()).at(-1)).toBe("conv_29");
    await page.locator(".filter").first().fill("relu uint8");
    expect(await rows()).toHaveLength(10);
    await page.locator(".filter").first().fill("QLinearConv conv_28");
    expect(await rows()).toEqual(["conv_28"]);
    await page.close();
  });
});
