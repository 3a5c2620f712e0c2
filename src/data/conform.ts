/** Data checked against a model's inputs, before anything long begins and again in every batch. */
import { AvocetError } from "../base/inner.ts";
import {
  arrayKind,
  type DType,
  dtypes,
  type Feeds,
  isFloat,
  Tensor,
  toBfloat16Bits,
  toFloat16Bits,
} from "../tensor/inner.ts";
import { type Dataset, type IndexedDataset, type InputPort, type SampleAxes, traitsOf } from "./dataset.ts";
import { indexedDataset, isIndexed } from "./indexed.ts";
import { fitAxis, portAxis } from "./port-axes.ts";

/**
 * The data as the model takes it: every input present, samples on the axis where the model wants them, shapes equal but
 * for that axis, no NaN or infinity. Floats become the model's float type, integers its integer type where they fit. The
 * first sample is read at once.
 * Throws `data/wrong-inputs`, `data/wrong-shape`, `data/wrong-dtype`, `data/not-finite`.
 */
export async function conform(dataset: IndexedDataset, inputs: readonly InputPort[]): Promise<IndexedDataset>;
export async function conform(dataset: Dataset, inputs: readonly InputPort[]): Promise<Dataset>;
export async function conform(dataset: Dataset, inputs: readonly InputPort[]): Promise<Dataset> {
  const { count, source, origin, axes: given } = dataset;
  const axes: SampleAxes = Object.fromEntries(inputs.map((port) => [port.name, portAxis(port)]));
  // Where the model takes one tensor for all samples and the data has one for each, samples run one by one.
  const singly = inputs.some((port) => {
    const stated = given?.[port.name];
    return axes[port.name] === null && port.constant === undefined && stated !== null;
  });
  // Samples of one shape can run together, whatever the data knows of them.
  const isFixed = inputs.every((port) =>
    port.shape?.every((dim, i) => i === axes[port.name] || typeof dim === "number"),
  );
  const isOdd = Object.values(axes).some((axis) => axis !== 0);
  const { most, ...kept } = traitsOf(dataset);
  const together = singly ? 1 : isFixed ? undefined : most;
  const traits = { ...kept, ...(isOdd && { axes }), ...(together !== undefined && { most: together }) };
  const check = (feeds: Feeds, rows: number, sample: (row: number) => number) =>
    checkFeeds(feeds, inputs, rows, given, source, sample);
  // People look for a sample in their files, so a part's samples are named by their numbers in the whole.
  const whole = (index: number) => (origin ? origin.of(index) : index);
  if (isIndexed(dataset)) {
    const checked = indexedDataset({
      count: dataset.count,
      source,
      ...traits,
      read: async (indices, signal) =>
        check(await dataset.read(indices, signal), indices.length, (row) => whole(indices[row]!)),
    });
    await checked.read([0]);
    return checked;
  }
  return {
    count,
    source,
    ...traits,
    async *batches(size, signal) {
      for await (const { feeds, first, size: rows } of dataset.batches(singly ? 1 : size, signal)) {
        yield { feeds: check(feeds, rows, (row) => whole(first + row)), first, size: rows };
      }
    },
  };
}

/** How many samples the model takes at once where it fixes that, else null. */
export function fixedBatch(inputs: readonly InputPort[]): number | null {
  for (const port of inputs) {
    const axis = portAxis(port);
    const length = axis === null ? null : port.shape?.[axis];
    if (typeof length === "number" && length > 0) return length;
  }
  return null;
}

function checkFeeds(
  feeds: Feeds,
  inputs: readonly InputPort[],
  rows: number,
  axes: SampleAxes | undefined,
  source: string,
  sample: (row: number) => number,
): Feeds {
  const names = Object.keys(feeds);
  const absent = inputs.filter(({ name, constant }) => constant === undefined && !names.includes(name));
  if (absent.length > 0) {
    throw new AvocetError(
      "data/wrong-inputs",
      `expected data for the inputs ${quoted(inputs.map(({ name }) => name))}, got ${quoted(names)}`,
      {
        at: source,
        hint: `missing: ${quoted(absent.map(({ name }) => name))}. An .npz file holds one array per input, under its name; --constant NAME=NUMBER fills an input, --state OUTPUT:INPUT feeds it back`,
      },
    );
  }
  return Object.fromEntries(
    inputs.map((port) => {
      const tensor = fitAxis(feeds[port.name], port, rows, axes?.[port.name], source);
      checkShape(tensor, port, source);
      const fitted = convert(tensor, port, source, sample);
      checkFinite(fitted, port, source, sample);
      return [port.name, fitted];
    }),
  );
}

function checkShape(tensor: Tensor, port: InputPort, source: string): void {
  const { name, shape } = port;
  if (!shape) return;
  const got = tensor.shape;
  const batch = portAxis(port);
  const same =
    got.length === shape.length &&
    shape.every((dim, axis) => axis === batch || typeof dim !== "number" || dim === got[axis]);
  if (same) return;
  const wanted = shape.map((dim, axis) => (axis === batch && typeof dim !== "number" ? "N" : (dim ?? "?"))).join(",");
  // Data that no rule could bring to the model's axes still has its samples in front.
  const given = got.map((dim, axis) => (axis === 0 && batch !== null ? "N" : dim)).join(",");
  throw new AvocetError("data/wrong-shape", `expected input "${name}" of shape [${wanted}], got [${given}]`, {
    at: source,
    hint: batch === 0 ? shapeHint(got, shape) : oddHint(port, batch),
  });
}

/** For inputs whose samples do not lie on the first axis. */
function oddHint({ name, shape }: InputPort, batch: number | null): string {
  const own = shape!.map((dim, axis) => (axis === batch ? "N" : (dim ?? "?")));
  const rest = own.filter((_, axis) => axis !== batch).join(",");
  if (batch === null) {
    return `"${name}" holds for all samples: give one array [${rest}], or one for each sample [N,${rest}]; --batch-axis ${name}=AXIS says otherwise`;
  }
  return `the samples of "${name}" lie on axis ${batch}: give [${own.join(",")}] or [N,${rest}]; --batch-axis ${name}=AXIS says otherwise`;
}

function shapeHint(got: readonly number[], shape: NonNullable<InputPort["shape"]>): string {
  const fits = (order: readonly number[]) =>
    got.length === 4 &&
    shape.length === 4 &&
    order.every((from, axis) => axis === 0 || typeof shape[axis] !== "number" || shape[axis] === got[from]);
  if (got.length === 1 && shape.length > 1) return 'say the shape of a raw file, for example "x.u8?shape=-1,32,32,3"';
  if (fits([0, 2, 3, 1]))
    return 'the model wants channels last: "layout": "nhwc" in the preprocessing, or transpose the array';
  if (fits([0, 3, 1, 2]))
    return 'the model wants channels first: "layout": "nchw" in the preprocessing, or transpose the array';
  const channelsFirst = shape[1] === 3 || shape[1] === 1;
  const [height, width] = channelsFirst ? [shape[2], shape[3]] : [shape[1], shape[2]];
  if (shape.length === 4 && typeof height === "number" && typeof width === "number") {
    return `add --preprocess with "resize": {"exact": [${width}, ${height}]} or another resize and "crop": [${width}, ${height}]`;
  }
  return "give samples on the first axis and the model's lengths on the others";
}

function convert(tensor: Tensor, port: InputPort, source: string, sample: (row: number) => number): Tensor {
  const wanted = port.dtype as DType | null;
  if (wanted === null || tensor.dtype === wanted) return tensor;
  const at = `${source}, input "${port.name}"`;
  if (isFloat(wanted) && isFloat(tensor.dtype) && dtypes[wanted].bits >= 16) {
    const values = tensor.floats();
    if (wanted === "float32") return Tensor.of(wanted, tensor.shape, values);
    const encode = wanted === "float16" ? toFloat16Bits : wanted === "bfloat16" ? toBfloat16Bits : (x: number) => x;
    const out = new (arrayKind(wanted))(values.length) as Float32Array;
    for (let i = 0; i < values.length; i++) out[i] = encode(values[i]!);
    return Tensor.of(wanted, tensor.shape, out);
  }
  const whole = (dtype: DType) => ["int", "uint", "bool"].includes(dtypes[dtype].kind) && dtypes[dtype].bits >= 8;
  if (whole(wanted) && whole(tensor.dtype)) return convertWhole(tensor, wanted, portAxis(port), at, sample);
  throw new AvocetError("data/wrong-dtype", `expected ${wanted} for input "${port.name}", got ${tensor.dtype}`, {
    at: source,
    hint: isFloat(wanted)
      ? 'say how numbers are scaled: --preprocess with "scale" (1 keeps them)'
      : `set "dtype": "${wanted}" in the preprocessing, or save the array in that type`,
  });
}

/** The number in the batch of the sample to which element `index` belongs. */
function rowAt({ shape }: Tensor, axis: number | null, index: number): number {
  if (axis === null) return 0;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  return Math.floor(index / inner) % shape[axis]!;
}

function convertWhole(
  tensor: Tensor,
  wanted: DType,
  axis: number | null,
  at: string,
  sample: (row: number) => number,
): Tensor {
  const Kind = arrayKind(wanted);
  const from = tensor.data as ArrayLike<number | bigint>;
  const big = wanted === "int64" || wanted === "uint64";
  const out = new Kind(from.length);
  const slots = out as unknown as { [i: number]: number | bigint };
  for (let i = 0; i < from.length; i++) {
    slots[i] = big ? BigInt(from[i]!) : Number(from[i]!);
    if (BigInt(slots[i]!) !== BigInt(from[i]!)) {
      throw new AvocetError(
        "data/wrong-dtype",
        `expected numbers that fit ${wanted}, sample ${sample(rowAt(tensor, axis, i))} has ${from[i]}`,
        { at },
      );
    }
  }
  return Tensor.of(wanted, tensor.shape, out);
}

function checkFinite(tensor: Tensor, port: InputPort, source: string, sample: (row: number) => number): void {
  const { dtype, data } = tensor;
  if (!isFloat(dtype) || !ArrayBuffer.isView(data)) return;
  const values = data as Float32Array;
  // Half floats are bit patterns; all exponent bits set is an infinity or no number.
  const mask = dtype === "float16" ? 0x7c00 : dtype === "bfloat16" ? 0x7f80 : 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (mask === 0 ? value - value === 0 : (value & mask) !== mask) continue;
    const got = mask === 0 ? value : "NaN or infinity";
    const row = sample(rowAt(tensor, portAxis(port), i));
    throw new AvocetError("data/not-finite", `expected finite numbers, sample ${row} has ${got}`, {
      at: `${source}, input "${port.name}"`,
      hint: "look at how the data was made; ranges of such data would mean nothing",
    });
  }
}

const quoted = (names: readonly string[]) =>
  names.map((name) => (name === "" ? "an array without a name" : `"${name}"`)).join(", ") || "none";
