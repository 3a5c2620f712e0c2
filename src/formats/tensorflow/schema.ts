/** The messages of TensorFlow that hold graphs and variables, as tables for the protobuf decoder; fields that say nothing about a model are left out. */
import type { Whole } from "../../ir/inner.ts";
import { type Extra, type MessageType, message } from "../protobuf/wire-types.ts";

export interface DimProto extends Extra {
  size?: Whole;
}

export interface ShapeProto extends Extra {
  dim: DimProto[];
  unknownRank?: number;
}

export interface TensorProto extends Extra {
  dtype?: number;
  shape?: ShapeProto;
  content?: Uint8Array;
  floats?: Uint8Array;
  doubles?: Uint8Array;
  ints?: Uint8Array;
  strings: Uint8Array[];
  complexes?: Uint8Array;
  longs?: Uint8Array;
  bools?: Uint8Array;
  halves?: Uint8Array;
  uint32s?: Uint8Array;
  uint64s?: Uint8Array;
}

export interface ListProto extends Extra {
  s: Uint8Array[];
  i: Whole[];
  f: number[];
  b: number[];
  type: number[];
  shape: ShapeProto[];
  tensor: TensorProto[];
  func: FuncProto[];
}

export interface AttrProto extends Extra {
  list?: ListProto;
  s?: Uint8Array;
  i?: Whole;
  f?: number;
  b?: number;
  type?: number;
  shape?: ShapeProto;
  tensor?: TensorProto;
  func?: FuncProto;
}

export interface AttrEntry extends Extra {
  key?: string;
  value?: AttrProto;
}

/** A function and the attributes that it is called with. */
export interface FuncProto extends Extra {
  name?: string;
  attr: AttrEntry[];
}

export interface NodeProto extends Extra {
  name?: string;
  op?: string;
  input: string[];
  attr: AttrEntry[];
}

export interface ArgProto extends Extra {
  name?: string;
  type?: number;
}

export interface OpDefProto extends Extra {
  name?: string;
  input: ArgProto[];
  output: ArgProto[];
}

export interface TextEntry extends Extra {
  key?: string;
  value?: string;
}

export interface FunctionProto extends Extra {
  signature?: OpDefProto;
  node: NodeProto[];
  ret: TextEntry[];
  controlRet: TextEntry[];
}

export interface LibraryProto extends Extra {
  function: FunctionProto[];
}

export interface GraphProto extends Extra {
  node: NodeProto[];
  library?: LibraryProto;
}

export interface TensorInfoProto extends Extra {
  name?: string;
  dtype?: number;
  shape?: ShapeProto;
}

export interface InfoEntry extends Extra {
  key?: string;
  value?: TensorInfoProto;
}

export interface SignatureProto extends Extra {
  inputs: InfoEntry[];
  outputs: InfoEntry[];
}

export interface SignatureEntry extends Extra {
  key?: string;
  value?: SignatureProto;
}

export interface MetaInfoProto extends Extra {
  tags: string[];
  version?: string;
}

export interface SaverProto extends Extra {
  restore?: string;
}

export interface MetaGraphProto extends Extra {
  info?: MetaInfoProto;
  graph?: GraphProto;
  saver?: SaverProto;
  signature: SignatureEntry[];
}

export interface SavedModelProto extends Extra {
  metaGraph: MetaGraphProto[];
}

export interface BundleHeaderProto extends Extra {
  shards?: number;
  endianness?: number;
}

export interface BundleEntryProto extends Extra {
  dtype?: number;
  shape?: ShapeProto;
  shard?: number;
  offset?: Whole;
  size?: Whole;
  slices: Uint8Array[];
}

const dimType: MessageType<DimProto> = message<DimProto>("TensorShapeProto.Dim", { size: { one: [1, "int64"] } });

export const shapeType: MessageType<ShapeProto> = message<ShapeProto>("TensorShapeProto", {
  dim: { many: [2, () => dimType] },
  unknownRank: { one: [3, "int32"] },
});

export const tensorType: MessageType<TensorProto> = message<TensorProto>("TensorProto", {
  dtype: { one: [1, "int32"] },
  shape: { one: [2, () => shapeType] },
  content: { one: [4, "bytes"] },
  floats: { one: [5, "packed-32"] },
  doubles: { one: [6, "packed-64"] },
  ints: { one: [7, "packed-varint"] },
  strings: { many: [8, "bytes"] },
  complexes: { one: [9, "packed-32"] },
  longs: { one: [10, "packed-varint"] },
  bools: { one: [11, "packed-varint"] },
  halves: { one: [13, "packed-varint"] },
  uint32s: { one: [16, "packed-varint"] },
  uint64s: { one: [17, "packed-varint"] },
});

const listType: MessageType<ListProto> = message<ListProto>("AttrValue.ListValue", {
  s: { many: [2, "bytes"] },
  i: { many: [3, "int64"] },
  f: { many: [4, "float"] },
  b: { many: [5, "int32"] },
  type: { many: [6, "int32"] },
  shape: { many: [7, () => shapeType] },
  tensor: { many: [8, () => tensorType] },
  func: { many: [9, () => funcType] },
});

const attrType: MessageType<AttrProto> = message<AttrProto>("AttrValue", {
  list: { one: [1, () => listType] },
  s: { one: [2, "bytes"] },
  i: { one: [3, "int64"] },
  f: { one: [4, "float"] },
  b: { one: [5, "int32"] },
  type: { one: [6, "int32"] },
  shape: { one: [7, () => shapeType] },
  tensor: { one: [8, () => tensorType] },
  func: { one: [10, () => funcType] },
});

const attrEntryType: MessageType<AttrEntry> = message<AttrEntry>("AttrEntry", {
  key: { one: [1, "string"] },
  value: { one: [2, () => attrType] },
});

const funcType: MessageType<FuncProto> = message<FuncProto>("NameAttrList", {
  name: { one: [1, "string"] },
  attr: { many: [2, () => attrEntryType] },
});

const nodeType: MessageType<NodeProto> = message<NodeProto>("NodeDef", {
  name: { one: [1, "string"] },
  op: { one: [2, "string"] },
  input: { many: [3, "string"] },
  attr: { many: [5, () => attrEntryType] },
});

const argType: MessageType<ArgProto> = message<ArgProto>("OpDef.ArgDef", {
  name: { one: [1, "string"] },
  type: { one: [3, "int32"] },
});

const opDefType: MessageType<OpDefProto> = message<OpDefProto>("OpDef", {
  name: { one: [1, "string"] },
  input: { many: [2, () => argType] },
  output: { many: [3, () => argType] },
});

const textEntryType: MessageType<TextEntry> = message<TextEntry>("TextEntry", {
  key: { one: [1, "string"] },
  value: { one: [2, "string"] },
});

const functionType: MessageType<FunctionProto> = message<FunctionProto>("FunctionDef", {
  signature: { one: [1, () => opDefType] },
  node: { many: [3, () => nodeType] },
  ret: { many: [4, () => textEntryType] },
  controlRet: { many: [6, () => textEntryType] },
});

const libraryType: MessageType<LibraryProto> = message<LibraryProto>("FunctionDefLibrary", {
  function: { many: [1, () => functionType] },
});

export const graphType: MessageType<GraphProto> = message<GraphProto>("GraphDef", {
  node: { many: [1, () => nodeType] },
  library: { one: [2, () => libraryType] },
});

const infoType: MessageType<TensorInfoProto> = message<TensorInfoProto>("TensorInfo", {
  name: { one: [1, "string"] },
  dtype: { one: [2, "int32"] },
  shape: { one: [3, () => shapeType] },
});

const infoEntryType: MessageType<InfoEntry> = message<InfoEntry>("InfoEntry", {
  key: { one: [1, "string"] },
  value: { one: [2, () => infoType] },
});

const signatureType: MessageType<SignatureProto> = message<SignatureProto>("SignatureDef", {
  inputs: { many: [1, () => infoEntryType] },
  outputs: { many: [2, () => infoEntryType] },
});

const signatureEntryType: MessageType<SignatureEntry> = message<SignatureEntry>("SignatureEntry", {
  key: { one: [1, "string"] },
  value: { one: [2, () => signatureType] },
});

const metaInfoType: MessageType<MetaInfoProto> = message<MetaInfoProto>("MetaInfoDef", {
  tags: { many: [4, "string"] },
  version: { one: [5, "string"] },
});

const saverType: MessageType<SaverProto> = message<SaverProto>("SaverDef", { restore: { one: [3, "string"] } });

const metaGraphType: MessageType<MetaGraphProto> = message<MetaGraphProto>("MetaGraphDef", {
  info: { one: [1, () => metaInfoType] },
  graph: { one: [2, () => graphType] },
  saver: { one: [3, () => saverType] },
  signature: { many: [5, () => signatureEntryType] },
});

export const savedModelType: MessageType<SavedModelProto> = message<SavedModelProto>("SavedModel", {
  metaGraph: { many: [2, () => metaGraphType] },
});

export const bundleHeaderType: MessageType<BundleHeaderProto> = message<BundleHeaderProto>("BundleHeaderProto", {
  shards: { one: [1, "int32"] },
  endianness: { one: [2, "int32"] },
});

export const bundleEntryType: MessageType<BundleEntryProto> = message<BundleEntryProto>("BundleEntryProto", {
  dtype: { one: [1, "int32"] },
  shape: { one: [2, () => shapeType] },
  shard: { one: [3, "int32"] },
  offset: { one: [4, "int64"] },
  size: { one: [5, "int64"] },
  slices: { many: [7, "bytes"] },
});
