/** The table of gradients: a row for every operator that Avocet knows. One without a rule says why. */
import type { Node } from "../ir/index.ts";
import { isOpType, type OpType } from "../ops/index.ts";
import type { GradientRow } from "./rule.ts";
import { activations } from "./rules/activations.ts";
import { alongAxis } from "./rules/along-axis.ts";
import { arithmetic } from "./rules/arithmetic.ts";
import { attention } from "./rules/attention.ts";
import { containers } from "./rules/containers.ts";
import { contrib } from "./rules/contrib.ts";
import { control } from "./rules/control.ts";
import { linear } from "./rules/linear.ts";
import { logic } from "./rules/logic.ts";
import { losses } from "./rules/losses.ts";
import { movement } from "./rules/movement.ts";
import { normalizations } from "./rules/normalizations.ts";
import { pictures } from "./rules/pictures.ts";
import { placement } from "./rules/placement.ts";
import { pooling } from "./rules/pooling.ts";
import { quantizers } from "./rules/quantizers.ts";
import { recurrent } from "./rules/recurrent.ts";
import { reductions } from "./rules/reductions.ts";
import { signals } from "./rules/signals.ts";
import { sources } from "./rules/sources.ts";
import { strings } from "./rules/strings.ts";

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
  ...pictures,
  ...strings,
  ...contrib,
};

const unknown: GradientRow = { none: "Avocet does not know this operator" };

/** The row of a node's operator. */
export function gradientRow(node: Node): GradientRow {
  return isOpType(node.opName) ? gradientRows[node.opName] : unknown;
}
