/** The report of the bundled example, made by whoever imports this: Node, or a page. */
import {
  classLabels,
  fromIterable,
  parseRecipe,
  type RunReport,
  type Runtime,
  readModel,
  renderReport,
  report as reportOf,
  run,
  topK,
  writeReport,
} from "avocet";
import { networkInputs, pictureLabels } from "../../examples/pictures/dataset.mjs";

/** `report.json` and `report.html` of the float model in `bytes`, with so many samples. */
export async function reportPictures(
  runtime: Runtime,
  bytes: Uint8Array,
  count: { readonly calibration: number; readonly test: number },
): Promise<{ readonly json: string; readonly html: string }> {
  const data = (part: "calibration" | "test") =>
    fromIterable(() => networkInputs(part, count[part]), { count: count[part], source: "rendered pictures" });
  const made = await run({
    name: "pictures.onnx",
    source: { model: readModel(bytes), file: bytes },
    data: data("calibration"),
    // Calibration alone is promised to be the same everywhere (pictures.ts).
    recipe: parseRecipe({ preset: "fast" }),
    runtime,
    threads: 1,
    judging: {
      data: data("test"),
      metric: () => topK(1),
      labels: classLabels(pictureLabels("test", count.test), "rendered"),
    },
    // What is of a machine is handed in: the command line names processor, versions and date here.
    about: { avocet: "0.1.0", environment: null },
  });
  const report = withoutTimes(reportOf(made));
  return { json: writeReport(report), html: renderReport([{ name: "pictures", report }]) };
}

/** Times alone are those of the machine: latencies, and the seconds of stages and steps. */
function withoutTimes(report: RunReport): RunReport {
  return {
    ...report,
    latencyMs: null,
    seconds: {},
    steps: report.steps.map((step) => ({ ...step, seconds: 0 })),
    warnings: report.warnings.filter(({ kind }) => kind !== "slower"),
  };
}
