/** The rows of lowering: the first that matches writes an entry. Storage forms that a target asks for stand in front. */
import { activationRow } from "./activation.ts";
import { biasRow } from "./bias.ts";
import { boundRow } from "./bound.ts";
import { constantRow } from "./constant.ts";
import { floatCastRow } from "./float-casts.ts";
import type { LoweringRow } from "./row.ts";
import { storageForms } from "./storage.ts";

export const rows: readonly LoweringRow[] = [
  ...Object.values(storageForms),
  biasRow,
  floatCastRow,
  constantRow,
  boundRow,
  activationRow,
];
