/** Channel pruning: which channels of each group go, what remains fitted to what it then reads, and the cut. */
import type { LayerSensitivity, Sensitivities } from "../../analysis/inner.ts";
import { AvocetError, didYouMean, throwIfAborted } from "../../base/inner.ts";
import { type MatrixLayer, matrixLayerAt, matrixOf } from "../../facts/inner.ts";
import { check, type Model, type TensorType } from "../../ir/inner.ts";
import { applyOnMoments, applyPlain } from "../apply-low-rank.ts";
import { layerName } from "../candidates.ts";
import { damped } from "../dense/solve.ts";
import { fittedOn, layerInputs, settableBias } from "../layer-moments.ts";
import type { Cost } from "../low-rank/form.ts";
import { damping, type ImportanceOptions, importanceOf, outputImportance } from "../output-importance.ts";
import { channelsOf, type OrderedGroup, removalsWithin } from "./choose.ts";
import { cutChannels } from "./cut.ts";
import { type ChannelGroup, CostLedger, channelGroups } from "./groups.ts";
import { type Reader, type Removal, removalOrder } from "./order.ts";
import type { ChannelSpace } from "./spaces.ts";
import { type ChannelLayer, traceChannels } from "./trace.ts";

export interface PruneOptions {
  readonly by: keyof Cost;
  /** How much is to be saved of the whole model; absent with ratios. */
  readonly saving?: number;
  /** Of groups, by the name of the group or of a layer that makes its channels: the share of channels that stays. */
  readonly ratios?: Readonly<Record<string, number>> | undefined;
  /** Candidates are shares k / count of the channels. */
  readonly count: number;
  /** Channels that stay are a multiple of it. */
  readonly multiple: number;
  readonly ignore: readonly string[];
}

export interface Pruned {
  readonly model: Model;
  /** One for each group, with `chosen` the channels that stay. */
  readonly layers: readonly LayerSensitivity[];
  readonly refused: Sensitivities["refused"];
  readonly note?: string;
}

/**
 * Prunes a normalised model whose shapes are known; without data by the norm of weights alone, as AIMET orders channels. The given model is
 * not changed. Throws `compress/nothing-to-compress`, `compress/unreachable`.
 */
export async function pruneChannels(
  model: Model,
  shapes: ReadonlyMap<string, TensorType>,
  options: PruneOptions,
  work: ImportanceOptions | null,
): Promise<Pruned> {
  const { by, saving, ratios, ignore } = options;
  const traced = traceChannels(model.graph, shapes);
  const { space } = traced;
  const { groups: all, refused } = channelGroups(traced);
  const isIgnored = (group: ChannelGroup) => group.makers.some((maker) => ignore.includes(layerName(maker)));
  const ratioOf = (group: ChannelGroup) =>
    [group.name, ...group.makers.map(layerName)].map((name) => ratios?.[name]).find((ratio) => ratio !== undefined);
  const names = new Set([...all.map(({ name }) => name), ...traced.layers.map(layerName)]);
  for (const name of [...ignore, ...Object.keys(ratios ?? {})]) {
    const reason = refused.find(({ layer }) => layer === name)?.reason;
    if (names.has(name) && (ignore.includes(name) || reason === undefined)) continue;
    throw new AvocetError(
      "compress/no-such-layer",
      `expected a layer whose channels can go, got "${name}"${reason ? `: ${reason}` : ""}`,
      { at: name, ...(reason === undefined ? hinted(didYouMean(name, names)) : {}) },
    );
  }
  const groups = all.filter((group) => !isIgnored(group) && (!ratios || ratioOf(group) !== undefined));
  const stay = [
    ...refused,
    ...all.filter(isIgnored).map(({ name }) => ({ layer: name, reason: "it was asked to stay" })),
  ];
  if (groups.length === 0) {
    throw new AvocetError("compress/nothing-to-compress", "expected channels that can go, got none", {
      at: model.source ?? model.graph.name,
    });
  }
  const { orders, note } = await ordersOf(model, groups, space, work);
  const ledger = new CostLedger(traced, shapes);
  const before = ledger.total(by);
  const ordered = groups.map((group, g): OrderedGroup => {
    const order = orders[g]!;
    const ratio = ratioOf(group);
    return {
      group,
      order,
      candidates: ratio === undefined ? candidatesOf(group, order, options) : [removed(group, order, ratio, options)],
    };
  });
  const layers = ordered.map((one) => described(one, ledger));
  const taken = ratios
    ? ordered.map(({ candidates }) => candidates[0]!)
    : removalsWithin(ordered, ledger, before - saving!, by);
  if (!taken) {
    throw new AvocetError(
      "compress/unreachable",
      `expected a budget that pruning can meet, got one that saves ${Math.round(saving!)} ${by}; pruning saves ${Math.round(before - ledger.total(by))} at most`,
      { at: "target" },
    );
  }
  const gone = new Set(ordered.flatMap(({ order }, g) => channelsOf(order, 0, taken[g]!)));
  const keep = new Map(traced.layers.flatMap((one) => keptColumns(one, space, gone)));
  const fitted = work ? await applyOnMoments(model, new Map(), keep, null, work) : applyPlain(model, new Map(), keep);
  // The same nodes in the same order: their channels are traced alike.
  const again = traceChannels(fitted.graph, shapes);
  cutChannels(fitted.graph, again, gone);
  check(fitted, "after cutting channels");
  return {
    model: fitted,
    layers: layers.map((one, g) => {
      const count = ordered[g]!.group.channels.length;
      return { ...one, chosen: taken[g]! > 0 ? count - taken[g]! : null };
    }),
    refused: stay,
    ...(note === undefined ? {} : { note }),
  };
}

const hinted = (hint: string | undefined) => (hint === undefined ? {} : { hint });

/** AIMET keeps max(1, ⌊C · ratio⌋) channels, rounded up to a multiple. */
function removed(
  { channels }: ChannelGroup,
  order: readonly Removal[],
  ratio: number,
  { multiple }: PruneOptions,
): number {
  const kept = Math.ceil(Math.max(1, Math.floor(channels.length * ratio + 1e-9)) / multiple) * multiple;
  return Math.max(0, Math.min(order.length, channels.length - kept));
}

function candidatesOf(group: ChannelGroup, order: readonly Removal[], options: PruneOptions): number[] {
  const found = new Set<number>();
  for (let k = options.count - 1; k > 0; k--) found.add(removed(group, order, k / options.count, options));
  found.delete(0);
  return [...found];
}

/** What is known of a group: each candidate alone. */
function described({ group, order, candidates }: OrderedGroup, ledger: CostLedger): LayerSensitivity {
  const { channels, name } = group;
  const [macs, parameters] = (["macs", "parameters"] as const).map((by) => ledger.touched(channels, by)) as [
    number,
    number,
  ];
  return {
    layer: name,
    op: group.makers[0]!.node.op,
    scheme: "channel-pruning",
    macs,
    parameters,
    candidates: candidates
      .filter((count) => count > 0)
      .map((count) => {
        const part = channelsOf(order, 0, count);
        const kept = channels.length - count;
        return {
          ratio: kept / channels.length,
          rank: kept,
          macs: macs - ledger.saving(part, "macs"),
          parameters: parameters - ledger.saving(part, "parameters"),
          loss: order[count - 1]!.loss,
          score: null,
        };
      })
      .reverse(),
    chosen: null,
  };
}

/** The order of every group, from moments of the float model's readers where there is data. */
async function ordersOf(
  model: Model,
  groups: readonly ChannelGroup[],
  space: ChannelSpace,
  work: ImportanceOptions | null,
): Promise<{ readonly orders: Removal[][]; readonly note?: string }> {
  const nodes = new Set(groups.flatMap(({ readers }) => readers.map(({ node }) => node)));
  const wanted = [...model.graph.nodes].flatMap((node) => (nodes.has(node) ? (matrixLayerAt(node) ?? []) : []));
  const found = work && (await outputImportance(model, wanted, work));
  const importance = found && "of" in found ? found.of : null;
  const known = new Map<MatrixLayer["node"], Omit<Reader, "columnsOf">>();
  await using inputs = work && layerInputs(model, work);
  for (const [index, layer] of wanted.entries()) {
    if (work) throwIfAborted(work);
    work?.onProgress?.({ step: "order of channels", done: index, total: wanted.length, detail: layerName(layer) });
    const { columns } = layer.matrix;
    const weight = Float64Array.from(matrixOf(layer.matrix, layer.weight.tensor));
    const outputs = layer.axes.outputs;
    if (!inputs) {
      const size = weight.reduce((sum, w) => sum + w * w, 0);
      known.set(layer.node, {
        outputs,
        columns,
        weight,
        h: null,
        importance: new Float64Array(outputs).fill(1 / Math.max(size, 1e-30)),
      });
      continue;
    }
    const name = layer.node.input(0)!.name;
    const { h } = fittedOn(await inputs.momentsOf(layer, [name, name]), settableBias(layer) !== null);
    const own = importanceOf(importance?.get(layer.node.output.name) ?? null, weight, h, columns);
    known.set(layer.node, { outputs, columns, weight, h: damped(h, columns, damping), importance: own });
  }
  const orders = groups.map(({ channels, readers }) =>
    removalOrder(
      channels,
      readers.flatMap((reader) => {
        const facts = known.get(reader.node);
        return facts ? [{ ...facts, columnsOf: columnsByClass(reader, facts.columns, space) }] : [];
      }),
    ),
  );
  return { orders, ...(found && "refused" in found ? { note: found.refused } : {}) };
}

/** Columns of a reader's matrix by the class of the channel that they read. */
function columnsByClass({ inputs }: ChannelLayer, columns: number, space: ChannelSpace): Map<number, number[]> {
  const found = new Map<number, number[]>();
  const each = columns / inputs!.length;
  for (const [i, atom] of inputs!.entries()) {
    const own = found.get(space.find(atom)) ?? [];
    for (let k = 0; k < each; k++) own.push(i * each + k);
    found.set(space.find(atom), own);
  }
  return found;
}

/** The columns that stay of a layer that reads channels that go. */
function keptColumns(one: ChannelLayer, space: ChannelSpace, gone: ReadonlySet<number>): [string, number[]][] {
  const { inputs, layer } = one;
  if (!inputs || layer.axes.groups > 1 || !inputs.some((atom) => gone.has(space.find(atom)))) return [];
  const each = layer.weight.tensor.size / layer.axes.outputs / layer.axes.inputs;
  const kept = [...inputs.keys()].filter((i) => !gone.has(space.find(inputs[i]!)));
  return [[layerName(one), kept.flatMap((i) => Array.from({ length: each }, (_, k) => i * each + k))]];
}
