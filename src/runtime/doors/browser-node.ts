/** Whether this machine has a browser that could run models on WebGPU (Node only); it is looked for, never started. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

const commands = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
  "chrome",
  "microsoft-edge",
  "msedge",
  "firefox",
];

const elsewhere: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "/Applications/Safari.app/Contents/MacOS/Safari",
  ],
  win32: [
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
    "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
  ],
};

/** Paths of the browsers on `path` (default: PATH) and where the system keeps its programs, the first of each name. */
export function findBrowsers(path = process.env.PATH ?? "", platform = process.platform): string[] {
  const suffix = platform === "win32" ? ".exe" : "";
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  const onPath = commands.flatMap((name) => {
    const found = folders.map((folder) => join(folder, name + suffix)).find(isProgram);
    return found === undefined ? [] : [found];
  });
  return [...onPath, ...(elsewhere[platform] ?? []).filter(isProgram)];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
