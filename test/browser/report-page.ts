/** The program of a page that makes a report, as a function that the test calls from outside. */
import { openRuntime } from "avocet";
import { reportPictures } from "./report.ts";

export interface ReportPage {
  report(model: string, count: { calibration: number; test: number }): Promise<{ json: string; html: string }>;
}

const reportPage: ReportPage = {
  async report(model, count) {
    const runtime = await openRuntime("ort-web", { wasmPaths: "/engine/", threads: 1 });
    return reportPictures(runtime, new Uint8Array(await (await fetch(model)).arrayBuffer()), count);
  },
};
Object.assign(globalThis, { reportPage });
