/** The table of gradients: a row for every operator that Avocet knows. One without a rule says why. */
import type { Node } from "../ir/inner.ts";
import { isOpType, type OpType } from "../ops/inner.ts";
import type { GradientRow } from "./rule.ts";
import { attention } from "./rules/attention/attention.ts";
import { contrib } from "./rules/contrib/contrib.ts";
import { control } from "./rules/control/control.ts";
import { activations } from "./rules/elementwise/activations.ts";
import { arithmetic } from "./rules/elementwise/arithmetic.ts";
import { logic } from "./rules/elementwise/logic.ts";
import { quantizers } from "./rules/elementwise/quantizers.ts";
import { sources } from "./rules/elementwise/sources.ts";
import { strings } from "./rules/elementwise/strings.ts";
import { images } from "./rules/images/images.ts";
import { pooling } from "./rules/images/pooling.ts";
import { linear } from "./rules/linear/linear.ts";
import { signals } from "./rules/linear/signals.ts";
import { losses } from "./rules/normalization/losses.ts";
import { normalizations } from "./rules/normalization/normalizations.ts";
import { reductions } from "./rules/normalization/reductions.ts";
import { recurrent } from "./rules/recurrent/recurrent.ts";
import { alongAxis } from "./rules/shape/along-axis.ts";
import { containers } from "./rules/shape/containers.ts";
import { movement } from "./rules/shape/movement.ts";
import { placement } from "./rules/shape/placement.ts";

// The annotation makes the table total: an operator without a row does not compile.
export const gradientRows: Readonly<Record<OpType, GradientRow>> = {
  ...linear,
  ...activations,
  ...arithmetic,
  ...logic,
  ...pooling,
  ...reductions,
  ...alongAxis,
  ...normalizations,
  ...attention,
  ...recurrent,
  ...movement,
  ...placement,
  ...sources,
  ...quantizers,
  ...control,
  ...containers,
  ...losses,
  ...signals,
  ...images,
  ...strings,
  ...contrib,
};

const unknown: GradientRow = { none: "Avocet does not know this operator" };

/** The row of a node's operator. */
export function gradientRow(node: Node): GradientRow {
  return isOpType(node.opName) ? gradientRows[node.opName] : unknown;
}
