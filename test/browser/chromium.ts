/** A real headless Chromium from npm, with WebGPU computed in software: right or wrong, but no speed. */
import type { Browser } from "playwright-core";

/** The browser, or the reason why there is none here. CHROMIUM names another executable. */
export async function launchChromium(): Promise<Browser | { readonly because: string }> {
  try {
    const { chromium: playwright } = await import("playwright-core");
    const { default: chromium } = await import("@sparticuz/chromium");
    return await playwright.launch({
      executablePath: process.env.CHROMIUM ?? (await chromium.executablePath()),
      headless: true,
      args: [
        "--no-sandbox",
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
        "--enable-unsafe-swiftshader",
      ],
    });
  } catch (error) {
    return { because: `no Chromium starts here: ${String(error).split("\n")[0]}` };
  }
}
