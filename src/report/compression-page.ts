/** The page of a compression: what it gave, which layers are sensitive, what was chosen, and what stayed. */
import type { AgreementShares, LayerSensitivity, Sensitivities, WeightChange } from "../analysis/inner.ts";
import { arrivalText, type CostAndTime } from "./arrival.ts";
import { type CurvePoint, type CurveScale, sensitivityCurve } from "./charts/sensitivity-curve.ts";
import { frame } from "./frame.ts";
import { html, type Markup } from "./markup.ts";
import type { ScoreReport, Warning } from "./run-report.ts";
import { scoreLoss } from "./score.ts";
import { weightChangeSection } from "./sections/weight-changes.ts";
import {
  bytes,
  change,
  count,
  decibels,
  decisions,
  figure,
  milliseconds,
  percent,
  plural,
  short,
  tail,
} from "./words.ts";

export interface CompressionReport {
  readonly name: string;
  readonly cost: Readonly<Record<"before" | "after", { readonly macs: number; readonly parameters: number }>>;
  readonly bytes: Readonly<Record<"before" | "after", number>>;
  readonly score: {
    readonly name: string;
    readonly unit: string;
    readonly better: "higher" | "lower";
    readonly float: number;
    readonly compressed: number;
    readonly samples: number;
    readonly interval: ScoreReport["interval"];
    /** Of "both are as good": McNemar's, for shares. */
    readonly p: number | null;
  } | null;
  /** Of decisions on which both choose the same class; null: not judged. */
  readonly agreement: AgreementShares | null;
  readonly agreementSamples: number;
  /** Signal against error of each output, in dB. */
  readonly outputs: readonly { readonly name: string; readonly sqnr: number }[];
  /** Milliseconds of one sample. */
  readonly latencyMs: CostAndTime["latencyMs"];
  readonly warnings: readonly Warning[];
  readonly layers: readonly {
    readonly layer: string;
    readonly scheme: string;
    readonly rank: number;
    readonly macs: readonly [before: number, after: number];
    readonly parameters: readonly [before: number, after: number];
  }[];
  readonly sensitivities: Sensitivities;
  /** Of layers that are there before and after. */
  readonly weightChanges: readonly WeightChange[];
  readonly notes: readonly string[];
}

/** The page of what `compress` made. */
export function renderCompression(report: CompressionReport): string {
  const { name, cost, score } = report;
  const kept = percent(cost.after.macs / cost.before.macs, 1);
  const scored = score
    ? `: ${score.name} ${figure(score.float, score.unit)} becomes ${figure(score.compressed, score.unit)}`
    : "";
  const title = `${name} with ${kept} of its multiply-accumulates${scored}`;
  return frame(
    title,
    html`<header><p>Avocet compression report</p><h1>${title}</h1></header>${tiles(report)}
    ${notesOf([...report.warnings.map(({ text }) => text), ...report.notes])}${tradeoff(report.sensitivities, cost)}${sensitivity(report.sensitivities)}${layerTable(report)}${weightChangeSection(report.weightChanges)}${refused(report.sensitivities)}`,
  );
}

/** The page of sensitivities alone. */
export function renderSensitivities(sensitivities: Sensitivities): string {
  const title = `Which layers of ${sensitivities.model} to protect`;
  return frame(
    title,
    html`<header><p>Avocet sensitivity report</p><h1>${title}</h1></header>${tradeoff(sensitivities, null)}${sensitivity(sensitivities)}${refused(sensitivities)}`,
  );
}

function tiles(report: CompressionReport): Markup {
  const { cost, bytes: size, score, agreement, outputs, latencyMs } = report;
  const tile = (label: string, before: string, after: string, note: string) =>
    html`<div class="card tile"><span class="label">${label}</span><b>${after}</b><span class="label">${before} before, ${note}</span></div>`;
  const single = (label: string, value: string, note: string) =>
    html`<div class="card tile"><span class="label">${label}</span><b>${value}</b><span class="label">${note}</span></div>`;
  const share = (before: number, after: number) => `${percent(after / Math.max(before, 1), 1)} stay`;
  return html`<div class="tiles">
    ${tile("Multiply-accumulates", count(cost.before.macs), count(cost.after.macs), share(cost.before.macs, cost.after.macs))}
    ${tile("Parameters", count(cost.before.parameters), count(cost.after.parameters), share(cost.before.parameters, cost.after.parameters))}
    ${tile("File", bytes(size.before), bytes(size.after), share(size.before, size.after))}
    ${score ? tile(score.name, figure(score.float, score.unit), figure(score.compressed, score.unit), score.interval ? `lost ${change(scoreLoss({ ...score, quantized: score.compressed }), score)}, 95 % interval ${score.interval.lost.map((end) => change(end, score)).join(" to ")}` : "without training") : null}
    ${agreement && agreement.float !== null ? single("Same class as float", percent(agreement.float), `${decisions(agreement.of, report.agreementSamples)}${agreement.interval ? `, 95 % interval ${agreement.interval.map((end) => percent(end, 1)).join(" to ")}` : ""}`) : null}
    ${outputs.slice(0, 3).map(({ name, sqnr }) => single("Output signal to error", decibels(sqnr), name))}
    ${latencyMs ? tile("Latency", milliseconds(latencyMs.before), milliseconds(latencyMs.after), `one sample on this machine; ${arrivalText(report) ?? "hardly any multiply-accumulates were saved"}`) : null}</div>`;
}

function notesOf(notes: readonly string[]): Markup | null {
  return notes.length === 0 ? null : html`<ul class="warnings">${notes.map((note) => html`<li>${note}</li>`)}</ul>`;
}

/** What is measured of a layer: its score alone where every candidate has one, else the predicted loss. */
function measure({ layers, metric }: Sensitivities) {
  const scored = metric !== null && layers.every(({ candidates }) => candidates.every(({ score }) => score !== null));
  const measured = (candidate: LayerSensitivity["candidates"][number]) => (scored ? candidate.score : candidate.loss);
  const values = layers.flatMap(({ candidates }) => candidates.flatMap((one) => measured(one) ?? []));
  return { scored, measured, values };
}

/** Scores on a linear scale; losses over as many powers of ten as there are, five at most. */
function scaleOf({ metric }: Sensitivities, scored: boolean, values: readonly number[]): CurveScale {
  if (scored && metric) {
    const all = [...values, metric.float];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const span = high - low || 1;
    return {
      at: (value) => (value - low) / span,
      ticks: [low, (low + high) / 2, high].map((value) => ({ value, text: figure(value, metric.unit, 0) })),
    };
  }
  const high = Math.ceil(Math.log10(Math.max(...values, 1e-12)));
  const low = Math.max(
    high - 5,
    Math.floor(Math.log10(Math.max(Math.min(...values.filter((v) => v > 0), 10 ** high), 1e-12))),
  );
  const span = Math.max(high - low, 1);
  return {
    at: (value) => (Math.log10(Math.max(value, 1e-30)) - low) / span,
    ticks: Array.from({ length: span + 1 }, (_, i) => ({
      value: 10 ** (low + i),
      text: `${short(100 * 10 ** (low + i))} %`,
    })).filter((_, i) => span < 4 || i % 2 === span % 2),
  };
}

function sensitivity(sensitivities: Sensitivities): Markup | null {
  const { layers, metric } = sensitivities;
  const { scored, measured, values } = measure(sensitivities);
  if (values.length === 0) return null;
  const scale = scaleOf(sensitivities, scored, values);
  const byLayer = new Map<string, LayerSensitivity[]>();
  for (const one of layers) byLayer.set(one.layer, [...(byLayer.get(one.layer) ?? []), one]);
  const sign = scored && metric?.better === "higher" ? -1 : 1;
  const half = (forms: readonly LayerSensitivity[]) =>
    Math.min(...forms.map((form) => sign * (valueAtHalf(form, measured) ?? Infinity)));
  const ranked = [...byLayer.values()].sort((a, b) => half(b) - half(a));
  const what = scored
    ? `${metric!.name} when this layer alone is compressed`
    : "the squared error that it adds to the model's outputs, relative to their size";
  return html`<h2>Which layers to protect</h2>
  <p>One curve a layer, the most sensitive first, all on one scale: ${what}, against the share of the layer's cost that is kept. A curve that
    ${sign < 0 ? "falls" : "rises"} early to the left belongs to a layer that should stay; the line marks what was chosen.${lineNames(layers)}</p>
  <div class="grid">${ranked.map((forms) => curveCard(forms, sensitivities, measured, scale))}</div>`;
}

function lineNames(layers: readonly LayerSensitivity[]): string {
  const schemes = [...new Set(layers.map(({ scheme }) => scheme))];
  return schemes.length < 2
    ? ""
    : ` Where a layer has several lines, they are in this order, solid to dashed: ${schemes.join(", ")}.`;
}

type Measured = (candidate: LayerSensitivity["candidates"][number]) => number | null;

/** Of the candidate that is nearest to half of the cost. */
function valueAtHalf({ candidates }: LayerSensitivity, measured: Measured): number | null {
  const [nearest] = [...candidates].sort((a, b) => Math.abs(a.ratio - 0.5) - Math.abs(b.ratio - 0.5));
  return nearest ? measured(nearest) : null;
}

function curveCard(
  forms: readonly LayerSensitivity[],
  { macs }: Sensitivities,
  measured: Measured,
  scale: CurveScale,
): Markup {
  const [first] = forms;
  const lines = forms.map(({ scheme, candidates }) => ({
    scheme,
    points: candidates.flatMap((one): CurvePoint[] => {
      const value = measured(one);
      return value === null ? [] : [{ ratio: one.ratio, value }];
    }),
  }));
  const taken = forms.find(({ chosen }) => chosen !== null);
  const candidate = taken?.candidates.find(({ rank }) => rank === taken.chosen);
  const value = candidate && measured(candidate);
  const kept = candidate ? `${percent(candidate.ratio, 0)} kept, ${taken!.scheme} ${candidate.rank}` : "stays";
  return html`<div class="card"><h3 title="${first!.layer}">${tail(first!.layer)}</h3>
    <p class="soft" style="margin:0 0 6px">${first!.op}, ${percent(first!.macs / Math.max(macs, 1), 1)} of the MACs; ${kept}</p>
    ${sensitivityCurve(`sensitivity of ${first!.layer}`, lines, scale, candidate && value !== null && value !== undefined ? { ratio: candidate.ratio, value } : null)}</div>`;
}

function tradeoff({ tradeoff: points }: Sensitivities, cost: CompressionReport["cost"] | null): Markup | null {
  if (points.length < 2) return null;
  const losses = points.map(({ loss }) => loss).filter((loss) => loss > 0);
  const scale = scaleOf({ metric: null } as Sensitivities, false, losses);
  const share = cost && cost.after.macs / cost.before.macs;
  const nearest =
    share === null ? null : [...points].sort((a, b) => Math.abs(a.share - share) - Math.abs(b.share - share))[0]!;
  const line = { scheme: "all", points: points.map(({ share: ratio, loss: value }) => ({ ratio, value })) };
  return html`<h2>Cost against loss</h2>
  <p>The least error that is expected of the whole model at every budget, relative to the size of its outputs${nearest ? "; the line marks this one" : ""}.</p>
  <div class="card" style="max-width:640px">${sensitivityCurve("expected loss against cost", [line], scale, nearest && { ratio: nearest.share, value: nearest.loss })}</div>`;
}

function layerTable({ layers }: CompressionReport): Markup | null {
  if (layers.length === 0) return null;
  const heads = [
    "Layer",
    "Scheme",
    "Rank",
    "MACs before",
    "MACs after",
    "Kept",
    "Parameters before",
    "Parameters after",
  ];
  return html`<h2>Layers before and after</h2><p>${plural(layers.length, "layer")} (or groups of layers with common channels) became two of this rank, or kept so many channels.</p>
  <div class="card sheet"><input type="search" class="filter" placeholder="name or scheme" aria-label="filter layers" hidden>
  <table><thead><tr>${heads.map((title, i) => html`<th class="${i > 1 ? "n" : ""}" data-sort="${i > 1 ? "number" : "text"}">${title}</th>`)}</tr></thead><tbody>
  ${layers.map(({ layer, scheme, rank, macs, parameters }) => {
    const cells: readonly (readonly [string | Markup, number?])[] = [
      [html`<span title="${layer}">${tail(layer)}</span>`],
      [scheme],
      [String(rank), rank],
      [count(macs[0]), macs[0]],
      [count(macs[1]), macs[1]],
      [percent(macs[1] / macs[0], 0), macs[1] / macs[0]],
      [count(parameters[0]), parameters[0]],
      [count(parameters[1]), parameters[1]],
    ];
    return html`<tr>${cells.map(([cell, key], i) => html`<td class="${i > 1 ? "n" : ""}" data-label="${heads[i]}"${key === undefined ? null : html` data-key="${key}"`}>${cell}</td>`)}</tr>`;
  })}</tbody></table></div>`;
}

function refused({ refused: left }: Sensitivities): Markup | null {
  if (left.length === 0) return null;
  const byReason = new Map<string, string[]>();
  for (const { layer, reason } of left) byReason.set(reason, [...(byReason.get(reason) ?? []), layer]);
  return html`<h2>What stays as it is</h2><p>Layers that no scheme makes smaller, by the reason.</p>
  <div class="card"><ul>${[...byReason].map(([reason, names]) => html`<li>${plural(names.length, "layer")}: ${reason} <span class="soft">(${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""})</span></li>`)}</ul></div>`;
}
