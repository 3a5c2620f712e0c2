/** What judges candidates of the bundled example, in whichever thread. */
import { classLabels, fromIterable, type Metric, topK } from "avocet";
import { networkInputs, pictureLabels } from "../examples/pictures/dataset.mjs";

export function judging(count: number) {
  return {
    data: fromIterable(() => networkInputs("test", count), { count, source: "rendered pictures" }),
    metric: (): Metric => topK(1),
    labels: classLabels(pictureLabels("test", count), "rendered"),
  };
}
