/** Tensor → TensorProto: always raw_data (strings excepted), handed on without copies. */
import { dtypes, type Tensor } from "../../tensor/inner.ts";
import type { Payload } from "../protobuf/wire-types.ts";
import { entriesOf } from "./entries.ts";
import { tensorExtras } from "./extras.ts";
import type { EntryProto, TensorProto } from "./schema.ts";

/** Where a tensor's bytes go that do not go into the model file. */
export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** `name` is the initializer's; a tensor in an attribute keeps the one it was read with. */
export function tensorToProto(tensor: Tensor, name: string | undefined, place: ExternalPlace | undefined): TensorProto {
  const extras = tensorExtras.get(tensor);
  const named = name ?? extras?.name;
  return {
    dims: [...tensor.shape],
    dataType: dtypes[tensor.dtype].onnx,
    stringData: tensor.dtype === "string" ? stringsOf(tensor) : [],
    ...(named === undefined ? {} : { name: named }),
    ...(place || tensor.dtype === "string" ? {} : { rawData: payloadOf(tensor) }),
    ...(extras?.docString === undefined ? {} : { docString: extras.docString }),
    externalData: place ? externalEntries(place) : [],
    ...(place ? { dataLocation: 1 } : {}),
    metadata: [...(extras?.metadata ?? [])],
    ...(extras?.unknown ? { unknown: extras.unknown } : {}),
  };
}

function externalEntries(place: ExternalPlace): EntryProto[] {
  const { location, offset, length } = place;
  return entriesOf(
    new Map([
      ["location", location],
      ["offset", `${offset}`],
      ["length", `${length}`],
    ]),
  );
}

/** The bytes of a tensor: from where it was read, or loaded for as long as they are being written. */
export function payloadOf(tensor: Tensor): Payload {
  const kept = tensorExtras.get(tensor)?.payload;
  if (kept) return kept;
  return {
    length: tensor.byteLength,
    *chunks() {
      yield tensor.bytes;
      tensor.release();
    },
  };
}

/** The file that a tensor's bytes are still read from, if any. */
export function fileOf(tensor: Tensor): string | undefined {
  return tensorExtras.get(tensor)?.payload?.file;
}

function stringsOf(tensor: Tensor): Uint8Array[] {
  const kept = tensorExtras.get(tensor)?.strings;
  if (kept) return [...kept];
  const encoder = new TextEncoder();
  return (tensor.data as readonly string[]).map((text) => encoder.encode(text));
}
