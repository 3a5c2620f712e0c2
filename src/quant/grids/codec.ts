/**
 * A codec knows all of one grid of numbers: what it is called, what it costs, what of a tensor it represents and how a file stores
 * that. What differs from grid to grid is asked here; the rows are in grid.ts. Codecs work on stretches of elements, so that nothing
 * is looked up or dispatched for single weights.
 */
import type { DType, TensorData } from "../../tensor/inner.ts";
import type { Bits, FloatGridName, GridName } from "./names.ts";
import type { Affine, GridChoice } from "./range.ts";

/** What can lie on a grid. */
export type GridUse = "activation" | "weight" | "bias";

/** A grid as plans write it. */
export type Grid =
  | IntGrid
  | { readonly kind: "float"; readonly dtype: FloatGridName }
  /** Two bits whose zero lies half way between two numbers. */
  | { readonly kind: "halves"; readonly bits: 2 };

/** `signed` says how the integers are stored; the numbers they stand for follow from the encoding alone. */
export interface IntGrid {
  readonly kind: "int";
  readonly bits: Bits;
  readonly signed: boolean;
}

/** The lowest and the highest number of a slice, in steps of its scale: x̂ / scale lies in low … high. */
export interface Ends {
  readonly low: number;
  readonly high: number;
}

/** How ties are rounded: "half-even" as ONNX's QuantizeLinear (x/scale), "half-away" as AIMET (x/scale − offset). */
export type TieRounding = "half-even" | "half-away";

/** Scale and ends of every slice, by its number. */
export interface Slices {
  readonly scales: Float64Array;
  readonly lows: Float64Array;
  readonly highs: Float64Array;
}

/** Why nothing of a use lies on a grid: what is there instead, and what to do. */
export interface Refusal {
  readonly expected: string;
  readonly hint: string;
}

export interface Codec {
  readonly name: GridName;
  readonly grid: Grid;
  /** Of one number. */
  readonly bits: number;
  /** "linear": whole steps of a scale. "lookup": a scale times one of a list of numbers. "cast": numbers without a scale. */
  readonly kernel: "linear" | "lookup" | "cast";
  /** The element type of constants in an ONNX file: of the same width, or the next wider one. */
  readonly stored: DType;
  /** The element type between a quantizer and its dequantizer, which a wider one than `stored` may be. */
  readonly quantizer: DType;
  /** The version of the standard operator set that has the quantizers. */
  opset(use: GridUse): number;
  /** Why nothing of this use is on it; undefined: it may be. */
  refusal(use: GridUse): Refusal | undefined;
  /** Writes the codes of numbers in steps of their scale, counted from the zero point, to where `codes` has `at`. */
  encode(numbers: Float32Array | Float64Array, codes: TensorData, at: number): void;
}

/** What an observer knows; see observers/observer.ts. */
export interface Proposing {
  propose(choice: GridChoice, useful?: readonly [min: number, max: number]): Affine;
  statistics(): { readonly min: number; readonly max: number };
}

/** A grid whose numbers have a scale. */
export interface ScaledCodec extends Codec {
  readonly kernel: "linear" | "lookup";
  readonly lowestOffset: number;
  /** How many steps of the scale one stored number stands for; default 1. The file has the scale times it. */
  readonly unit?: number;
  /** What a file of these numbers would need that no runtime has, and what is written instead. Absent: they are stored as they are. */
  readonly instead?: string;
  /** How far ONNX's zero point lies below −offset. */
  readonly shift: number;
  /** The ends of the type `quantizer`, in steps of the scale above its zero point. */
  readonly typeEnds: Ends;
  /** What a slice with this offset represents. */
  ends(offset: number, symmetric: boolean): Ends;
  /** Scale and offset that cover [min, max] and zero. Throws `data/not-finite` for NaN. */
  affine(min: number, max: number, choice: GridChoice): Affine;
  /** The numbers at both ends of what scale and offset represent. */
  range(affine: Affine, choice: GridChoice): readonly [min: number, max: number];
  /** Scale and offset for what an observer saw. */
  propose(seen: Proposing, choice: GridChoice, useful?: readonly [min: number, max: number]): Affine;
  /**
   * Fills `out` with the nearest numbers on the grid, in steps of the scale, of as many elements from `start` on; element k belongs
   * to slice `slice + step · k`. Float32 arithmetic throughout.
   */
  nearest(
    x: Float32Array,
    start: number,
    out: Float64Array,
    slices: Slices,
    slice: number,
    step: 0 | 1,
    ties: TieRounding,
  ): void;
}
