/** What a report tells about one run, as data: this is `report.json`, and all that the page is made from. */
import type {
  AgreementShares,
  Example,
  Guessing,
  Interval,
  LayerDifference,
  MeasuredLatency,
  Similarity,
  Unjudged,
  WeightChange,
} from "../analysis/inner.ts";

/** A value of the graph in the order of execution, float next to quantized. */
export interface ValueReport {
  readonly name: string;
  /** The operator that computes it; "input" for graph inputs. */
  readonly op: string;
  /** The convolution or matrix product that ends in it, as `--float` takes it: its node's name, or that of its output. */
  readonly layer?: string | undefined;
  /** Similarity of float and quantized, noise of everything before included; NaN where a number is none. */
  readonly sqnr: number;
  readonly cosine: number;
  /** Decibels lost since the noisiest of the compared values it is computed from; null where one of them is exact or none is. */
  readonly fall: number | null;
  /** Present for quantized values. */
  readonly quantizer?:
    | {
        readonly grid: string;
        readonly scheme: string;
        readonly min: number;
        readonly max: number;
        readonly observed: { readonly min: number; readonly max: number };
        /** Share of the compared samples' numbers that lie more than half a step outside the range: what is nearer is only rounded. */
        readonly clipped: number;
        readonly histogram?:
          | { readonly low: number; readonly high: number; readonly counts: readonly number[] }
          | undefined;
      }
    | undefined;
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

/** An operator of the prepared model, and what became of it. */
export interface LayerReport {
  /** As `--float` takes it: the node's name, or that of its output. */
  readonly name: string;
  readonly op: string;
  /** Multiply-accumulates of one sample; null where a shape is not known. */
  readonly macs: number | null;
  /** Of its constants as they are stored, with scales and zero points. */
  readonly bytes: number;
  /** Grid of its weight, and of what it computes; null in float. */
  readonly weight: string | null;
  readonly activation: string | null;
  /** Of what it computes, in dB; absent where that was not compared. */
  readonly sqnr?: number | undefined;
  /** What the runtime runs; null for all but products and convolutions, which take the time. */
  readonly kernel: string | null;
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

/** Both models judged on the same labelled samples. */
export interface ScoreReport {
  readonly metric: string;
  /** "%": scores are fractions. */
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly float: number;
  readonly quantized: number;
  readonly samples: number;
  /** 95 % intervals; that of the loss (float − quantized where higher is better) is of pairs. Null where the metric does not say. */
  readonly interval: { readonly float: Interval; readonly quantized: Interval; readonly lost: Interval } | null;
  /** The chance of such a difference between equally good models (McNemar); null where that does not apply. */
  readonly p: number | null;
  /** What guessing would score. */
  readonly guessing: Guessing | null;
  /** Classes of the model's output, and how many the labels name (folders, names); null where nothing says it. */
  readonly classes: number | null;
  readonly namedClasses: number | null;
  /** Samples to look at, those that differ most first. Absent in older reports. */
  readonly examples?: readonly Example[] | undefined;
  /** Names of the classes in them. */
  readonly names?: readonly string[] | undefined;
}

/** On what agreement and score were measured. */
export interface JudgedOn {
  readonly data: "evaluation" | "held-out" | "calibration" | "training" | "noise" | "nothing";
  /** How many of the judged samples calibration or training had used. */
  readonly seen: number;
  readonly samples: number;
}

/** Where and how the run was made. */
export interface Environment {
  /** Arguments of the command line. */
  readonly command: readonly string[];
  /** ISO 8601. */
  readonly date: string;
  readonly cpu: string;
  readonly threads: number | null;
  /** Node, runtime and platform with their versions. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Why a figure is not what it seems. */
export interface Warning {
  readonly kind:
    | "random"
    | "training-form"
    | "near-chance"
    | "far-off"
    | "class-count"
    | "seen-data"
    | "within-noise"
    | "one-class"
    | "not-finite"
    | "mostly-float"
    | "recurrent-float"
    | "slower"
    | "larger"
    | "not-judged"
    | "rounded-inputs";
  readonly text: string;
}

export interface RunReport {
  readonly version: 1;
  readonly avocet: string;
  readonly environment: Environment | null;
  readonly model: {
    readonly name: string;
    readonly opset: number;
    readonly nodes: number;
    readonly parameters: number;
    /** Of the parameters, how many are stored on a grid. */
    readonly quantized: number | null;
    readonly macs: number | null;
  };
  readonly settings: Readonly<Record<string, string>>;
  readonly runtime: string;
  readonly score: ScoreReport | null;
  readonly agreement: AgreementShares;
  readonly agreementSamples: number;
  readonly judgedOn: JudgedOn | null;
  /** Share of decisions where several classes share the quantized model's highest score; null without classes. */
  readonly ties: number | null;
  /** Null where it was not measured. */
  /** Milliseconds of one sample; `losses`: the kernels that take longer than in float, where the whole does. */
  readonly latencyMs: MeasuredLatency | null;
  readonly bytes: { readonly float: number; readonly quantized: number };
  readonly outputs: readonly Similarity[];
  readonly values: readonly ValueReport[];
  readonly weights: readonly WeightReport[];
  /** Layers whose weights were equalized, pruned, rounded or trained: before and after. Absent in older reports. */
  readonly weightChanges?: readonly WeightChange[] | undefined;
  readonly layers: readonly LayerReport[];
  readonly notQuantized: readonly { readonly value: string; readonly reason: string }[];
  readonly kernels: KernelReport;
  readonly differences: readonly LayerDifference[];
  readonly steps: readonly StepLine[];
  /** What could not be judged, and why. */
  readonly unjudged: readonly Unjudged[];
  /** In the order of weight; also in summary and JSON of the command. */
  readonly warnings: readonly Warning[];
  readonly seconds: Readonly<Record<string, number>>;
}
