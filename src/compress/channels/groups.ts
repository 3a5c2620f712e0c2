/** Groups of channels that are chosen from together, what they cost, and which of them must stay. */
import { macsOfNode } from "../../analysis/inner.ts";
import type { TensorType } from "../../ir/inner.ts";
import { layerName } from "../candidates.ts";
import type { Cost } from "../low-rank/form.ts";
import type { ChannelLayer, TracedChannels } from "./trace.ts";

export interface ChannelGroup {
  /** The layers that make these channels. */
  readonly name: string;
  /** The classes that may go. */
  readonly channels: readonly number[];
  readonly makers: readonly ChannelLayer[];
  /** The layers that sum over them. */
  readonly readers: readonly ChannelLayer[];
}

export interface ChannelGroups {
  readonly groups: readonly ChannelGroup[];
  readonly refused: readonly { readonly layer: string; readonly reason: string }[];
}

/** Channels belong to one group when a layer makes them both. */
export function channelGroups({ space, layers }: TracedChannels): ChannelGroups {
  const home = new Map<number, number>();
  const parent: number[] = [];
  const rootOf = (at: number): number => (parent[at] === at ? at : rootOf(parent[at]!));
  for (const { outputs } of layers) {
    const own = parent.push(parent.length) - 1;
    for (const atom of outputs) {
      const known = home.get(space.find(atom));
      if (known === undefined) home.set(space.find(atom), own);
      else parent[rootOf(known)] = rootOf(own);
    }
  }
  const members = new Map<number, { makers: ChannelLayer[]; classes: Set<number> }>();
  for (const layer of layers) {
    const root = rootOf(home.get(space.find(layer.outputs[0]!))!);
    const found = members.get(root) ?? { makers: [], classes: new Set() };
    members.set(root, found);
    found.makers.push(layer);
    for (const atom of layer.outputs) found.classes.add(space.find(atom));
  }
  const groups: ChannelGroup[] = [];
  const refused: { layer: string; reason: string }[] = [];
  for (const { makers, classes } of members.values()) {
    const name =
      makers
        .filter(({ layer }) => layer.axes.groups === 1)
        .map(layerName)
        .join(" + ") || layerName(makers[0]!);
    const channels = [...classes].filter((one) => space.reason(one) === undefined);
    const readers = layers.filter(
      ({ inputs, layer }) => layer.axes.groups === 1 && inputs?.some((atom) => classes.has(space.find(atom))),
    );
    const fixed = [...classes].flatMap((one) => space.reason(one) ?? []);
    if (channels.length === 0) refused.push({ layer: name, reason: fixed[0]! });
    else if (readers.length === 0) refused.push({ layer: name, reason: "no layer reads its channels" });
    else if (classes.size < 2) refused.push({ layer: name, reason: "it has a single channel" });
    else groups.push({ name, channels, makers, readers });
  }
  return { groups, refused };
}

/** What layers cost while channels go, one class after the other. */
export class CostLedger {
  readonly #entries: {
    readonly base: Cost;
    readonly counts: readonly [inputs: number, outputs: number];
    readonly grouped: boolean;
    left: [inputs: number, outputs: number];
  }[] = [];
  readonly #touched = new Map<number, { entry: number; inputs: number; outputs: number }[]>();

  constructor({ space, layers }: TracedChannels, shapes: ReadonlyMap<string, TensorType>) {
    for (const { node, layer, inputs, outputs } of layers) {
      const { axes, weight } = layer;
      const counts = [axes.inputs, axes.outputs] as const;
      const base = { macs: macsOfNode(node, shapes) ?? 0, parameters: weight.tensor.size };
      const entry = this.#entries.push({ base, counts, grouped: axes.groups > 1, left: [...counts] }) - 1;
      const seen = new Map<number, { entry: number; inputs: number; outputs: number }>();
      const note = (atom: number, side: "inputs" | "outputs") => {
        const channel = space.find(atom);
        const found = seen.get(channel) ?? { entry, inputs: 0, outputs: 0 };
        found[side]++;
        seen.set(channel, found);
      };
      for (const atom of inputs ?? []) note(atom, "inputs");
      for (const atom of outputs) note(atom, "outputs");
      for (const [channel, found] of seen) this.#touched.set(channel, [...(this.#touched.get(channel) ?? []), found]);
    }
  }

  /** Of all layers that are followed. */
  total(by: keyof Cost): number {
    return this.#entries.reduce((sum, _, i) => sum + this.#cost(i, by), 0);
  }

  /** What the layers that these channels touch cost. */
  touched(channels: readonly number[], by: keyof Cost): number {
    const entries = new Set(channels.flatMap((channel) => this.#touched.get(channel) ?? []).map(({ entry }) => entry));
    return [...entries].reduce((sum, entry) => sum + this.#cost(entry, by), 0);
  }

  remove(channels: readonly number[], sign: 1 | -1 = -1): void {
    for (const channel of channels)
      for (const { entry, inputs, outputs } of this.#touched.get(channel) ?? []) {
        const { left } = this.#entries[entry]!;
        left[0] += sign * inputs;
        left[1] += sign * outputs;
      }
  }

  /** What would be saved. */
  saving(channels: readonly number[], by: keyof Cost): number {
    const before = this.touched(channels, by);
    this.remove(channels);
    const after = this.touched(channels, by);
    this.remove(channels, 1);
    return before - after;
  }

  #cost(index: number, by: keyof Cost): number {
    const { base, counts, grouped, left } = this.#entries[index]!;
    return base[by] * (left[1] / counts[1]) * (grouped ? 1 : left[0] / counts[0]);
  }
}
