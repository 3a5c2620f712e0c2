/** The rows of lowering: the first that matches writes an entry. Storage forms that a target asks for stand in front. */
import { activationRow } from "./activation.ts";
import { biasRow } from "./bias.ts";
import { constantRow } from "./constant.ts";
import { floatCastRow } from "./float-casts.ts";
import type { LoweringRow } from "./row.ts";

export const rows: readonly LoweringRow[] = [biasRow, floatCastRow, constantRow, activationRow];
