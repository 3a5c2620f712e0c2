/** What a target makes of a seed. */
import type { Random } from "../../src/base/inner.ts";

/** A mutant: what to write down when it fails, and the way through the product. */
export interface Mutant {
  readonly bytes: Uint8Array;
  /** The ending of a file of these bytes. */
  readonly ending: string;
  /** What a model is fed, as .npz. */
  readonly data?: () => Uint8Array;
  run(): Promise<void> | void;
}

export type Target = (random: Random) => Mutant;
