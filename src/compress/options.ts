/** What compression is asked for. */
import type { Sensitivities } from "../analysis/inner.ts";
import { AvocetError, didYouMean, type Work } from "../base/inner.ts";
import type { Model } from "../ir/inner.ts";
import { type CompressionScheme, compressionSchemes, lowRankSchemes } from "./scheme-names.ts";

/** What a model is worth, by the user's metric. */
export interface ModelScorer {
  readonly metric: { readonly name: string; readonly unit: string; readonly better: "higher" | "lower" };
  score(model: Model): Promise<number>;
}

export interface CompressOptions extends Work {
  /** Share of the model's multiply-accumulates, or of its parameters, that may stay: between 0 and 1. One of them, or `ratios`. */
  readonly target?: { readonly macs: number } | { readonly parameters: number };
  /**
   * Layers by name, and the share of each one's cost that may stay; all others stay as they are. Where channels go, it is the share of the
   * channels that the named layer makes.
   */
  readonly ratios?: Readonly<Record<string, number>>;
  /**
   * Default: all that split layers, of which each layer gets the best. With "channel-pruning" next to them, channels go first, and save the
   * square root of the whole.
   */
  readonly schemes?: readonly CompressionScheme[];
  /** "moments" (default): least squares on what layers see. "plain": singular values alone, as AIMET does it; needs no data. */
  readonly fit?: "moments" | "plain";
  /** How ratios are chosen: by predicted losses ("moments", the default), or by the score of each layer alone ("metric"), as AIMET does it. */
  readonly selection?: "moments" | "metric";
  /** Ratios that are tried of each layer: k / candidates. Default 32, of "metric" 10. */
  readonly candidates?: number;
  /** Of "metric": fit scores so that they do not fall as the ratio grows. Default false. */
  readonly monotone?: boolean;
  /** Ranks are multiples of it. Default 1. */
  readonly multiple?: number;
  /** Names of layers that stay as they are. */
  readonly ignore?: readonly string[];
  /** What judges: needed for the selection by "metric", and counted in `sensitivities` otherwise. */
  readonly scorer?: ModelScorer;
  /** Of an earlier run: what it knows is not computed again. */
  readonly sensitivities?: Sensitivities;
  /** Samples that moments are gathered on: spread evenly. Default 500. */
  readonly samples?: number | string;
  readonly batch?: number;
  readonly threads?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** What is asked for, checked, with its defaults. Throws `usage/bad-value` and `usage/missing`. */
export function settled(options: CompressOptions) {
  const { target, ratios, schemes = lowRankSchemes, fit = "moments", selection = "moments", multiple = 1 } = options;
  if (!target === !ratios) {
    throw new AvocetError("usage/missing", `expected a target or ratios, got ${target ? "both" : "none"}`, {
      hint: "--target-macs 0.5, --target-bytes 0.5 or --ratios FILE",
    });
  }
  for (const scheme of schemes) {
    if (compressionSchemes.includes(scheme)) continue;
    throw new AvocetError("usage/bad-value", `expected one of ${compressionSchemes.join(", ")}, got "${scheme}"`, {
      at: "schemes",
      hint: didYouMean(scheme, compressionSchemes) ?? "docs/compression.md has them all",
    });
  }
  if (schemes.length === 0)
    throw new AvocetError("usage/missing", "expected at least one scheme, got none", { at: "schemes" });
  const by = target && "parameters" in target ? ("parameters" as const) : ("macs" as const);
  const share = target && ("parameters" in target ? target.parameters : target.macs);
  if (share !== undefined) expectShare(share, "target");
  for (const [layer, ratio] of Object.entries(ratios ?? {})) expectShare(ratio, `ratios: ${layer}`);
  const candidates = options.candidates ?? (selection === "metric" ? 10 : 32);
  for (const [name, value, least] of [
    ["candidates", candidates, 2],
    ["multiple", multiple, 1],
  ] as const) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new AvocetError("usage/bad-value", `expected a whole number from ${least} on, got ${value}`, { at: name });
  }
  const prune = schemes.includes("channel-pruning");
  if (prune && selection === "metric") {
    throw new AvocetError("usage/bad-value", 'expected the selection "moments" for channel-pruning, got "metric"', {
      at: "selection",
      hint: "channels are chosen by what they lose",
    });
  }
  if (selection === "metric" && target && !options.scorer) {
    throw new AvocetError("usage/missing", "expected what judges for the selection by metric, got none", {
      hint: "--evaluate DATA with --labels and --metric",
    });
  }
  if (prune && ratios && schemes.length > 1) {
    throw new AvocetError("usage/bad-value", "expected ratios for channel-pruning alone, or for schemes without it", {
      at: "schemes",
      hint: "compress twice: channels first",
    });
  }
  const lowRank = lowRankSchemes.filter((scheme) => schemes.includes(scheme));
  return { by, share, ratios, prune, schemes: lowRank, fit, selection, multiple, count: candidates };
}

function expectShare(value: number, at: string): void {
  if (value > 0 && value < 1) return;
  throw new AvocetError("usage/bad-value", `expected a share between 0 and 1, both left out, got ${value}`, {
    at,
    hint: "0.5 keeps half of the cost",
  });
}
