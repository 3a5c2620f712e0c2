/** What a report tells about one run, as data: this is `report.json`, and all that the page is made from. */
import type { LayerDifference, Similarity } from "../analysis/index.ts";

/** A value of the graph in the order of execution, float beside quantized. */
export interface ValueReport {
  readonly name: string;
  /** The operator that computes it; "input" for graph inputs. */
  readonly op: string;
  /** The convolution or matrix product that ends in it, as `--float` takes it: its node's name, or that of its output. */
  readonly layer?: string;
  /** Similarity of float and quantized, noise of everything before included. */
  readonly sqnr: number;
  readonly cosine: number;
  /** Decibels lost since the noisiest of the compared values it is computed from; null where one of them is exact or none is. */
  readonly fall: number | null;
  /** Present for quantized values. */
  readonly quantizer?: {
    readonly grid: string;
    readonly scheme: string;
    readonly min: number;
    readonly max: number;
    readonly observed: { readonly min: number; readonly max: number };
    /** Share of the compared samples' numbers that lie more than half a step outside the range. */
    readonly clipped: number;
    readonly histogram?: { readonly low: number; readonly high: number; readonly counts: readonly number[] };
  };
}

/** A weight: the range of every output channel, and the range its grid spans there. */
export interface WeightReport {
  readonly name: string;
  readonly layer: string;
  readonly grid: string;
  readonly granularity: string;
  readonly channels: { readonly min: readonly number[]; readonly max: readonly number[] };
  /** Highest representable magnitude, one number or one a channel. */
  readonly limit: readonly number[];
}

export interface KernelReport {
  readonly integer: number;
  readonly float: readonly { readonly node: string; readonly reason: string }[];
}

export interface StepLine {
  readonly step: string;
  readonly edits: number;
  readonly seconds: number;
  readonly notes: readonly string[];
}

export interface RunReport {
  readonly version: 1;
  readonly avocet: string;
  readonly model: {
    readonly name: string;
    readonly opset: number;
    readonly nodes: number;
    readonly parameters: number;
    readonly macs: number | null;
  };
  readonly settings: Readonly<Record<string, string>>;
  readonly runtime: string;
  readonly score: {
    readonly metric: string;
    readonly float: number;
    readonly quantized: number;
    readonly samples: number;
  } | null;
  readonly agreement: { readonly simulation: number | null; readonly float: number | null };
  readonly agreementSamples: number;
  /** Share of places where several classes share the quantized model's highest score; null without classes. */
  readonly ties: number | null;
  readonly latencyMs: { readonly float: number; readonly quantized: number };
  readonly bytes: { readonly float: number; readonly quantized: number };
  readonly outputs: readonly Similarity[];
  readonly values: readonly ValueReport[];
  readonly weights: readonly WeightReport[];
  readonly left: readonly { readonly value: string; readonly reason: string }[];
  readonly kernels: KernelReport;
  readonly differences: readonly LayerDifference[];
  readonly steps: readonly StepLine[];
  readonly seconds: Readonly<Record<string, number>>;
}
