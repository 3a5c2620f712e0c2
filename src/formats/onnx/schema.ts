/**
 * The messages of onnx.proto as tables (field numbers of ONNX 1.23). Fields that Avocet does not interpret are left
 * out on purpose: they survive as unknown bytes of their message. Those are, in GraphProto, quantization_annotation
 * (14); in NodeProto, device_configurations (10); in ModelProto, configuration (26); in TensorProto, segment (3).
 */
import type { Whole } from "../../ir/inner.ts";
import { type Extra, type MessageType, message, type Payload } from "../protobuf/wire-types.ts";

export interface EntryProto extends Extra {
  key?: string;
  value?: string;
}

export interface TensorProto extends Extra {
  dims: Whole[];
  dataType?: number;
  floatData?: Uint8Array;
  int32Data?: Uint8Array;
  stringData: Uint8Array[];
  int64Data?: Uint8Array;
  name?: string;
  rawData?: Uint8Array | Payload;
  doubleData?: Uint8Array;
  uint64Data?: Uint8Array;
  docString?: string;
  externalData: EntryProto[];
  dataLocation?: number;
  metadata: EntryProto[];
}

export interface SparseTensorProto extends Extra {
  values?: TensorProto;
}

export interface DimensionProto extends Extra {
  value?: Whole;
  param?: string;
  denotation?: string;
}

export interface ShapeProto extends Extra {
  dim: DimensionProto[];
}

/** TypeProto.Tensor and TypeProto.SparseTensor. */
export interface TensorTypeProto extends Extra {
  elemType?: number;
  shape?: ShapeProto;
}

/** TypeProto.Sequence and TypeProto.Optional. */
export interface ElementTypeProto extends Extra {
  elemType?: TypeProto;
}

export interface MapTypeProto extends Extra {
  keyType?: number;
  valueType?: TypeProto;
}

export interface TypeProto extends Extra {
  tensor?: TensorTypeProto;
  sequence?: ElementTypeProto;
  map?: MapTypeProto;
  denotation?: string;
  opaque?: Uint8Array;
  sparse?: TensorTypeProto;
  optional?: ElementTypeProto;
}

export interface ValueInfoProto extends Extra {
  name?: string;
  type?: TypeProto;
  docString?: string;
  metadata: EntryProto[];
}

export interface AttributeProto extends Extra {
  name?: string;
  f?: number;
  i?: Whole;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats: number[];
  ints: Whole[];
  strings: Uint8Array[];
  tensors: TensorProto[];
  graphs: GraphProto[];
  docString?: string;
  typeProto?: TypeProto;
  typeProtos: TypeProto[];
  type?: number;
  refAttrName?: string;
  sparseTensor?: Uint8Array;
  sparseTensors: Uint8Array[];
}

export interface NodeProto extends Extra {
  input: string[];
  output: string[];
  name?: string;
  opType?: string;
  attribute: AttributeProto[];
  docString?: string;
  domain?: string;
  overload?: string;
  metadata: EntryProto[];
}

export interface GraphProto extends Extra {
  node: NodeProto[];
  name?: string;
  initializer: TensorProto[];
  docString?: string;
  input: ValueInfoProto[];
  output: ValueInfoProto[];
  valueInfo: ValueInfoProto[];
  sparseInitializer: Uint8Array[];
  metadata: EntryProto[];
}

export interface OperatorSetProto extends Extra {
  domain?: string;
  version?: Whole;
}

export interface FunctionProto extends Extra {
  name?: string;
  input: string[];
  output: string[];
  attribute: string[];
  node: NodeProto[];
  docString?: string;
  opsetImport: OperatorSetProto[];
  domain?: string;
  defaults: AttributeProto[];
  valueInfo: ValueInfoProto[];
  overload?: string;
  metadata: EntryProto[];
}

export interface ModelProto extends Extra {
  irVersion?: Whole;
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: Whole;
  docString?: string;
  graph?: GraphProto;
  opsetImport: OperatorSetProto[];
  metadata: EntryProto[];
  trainingInfo: Uint8Array[];
  functions: FunctionProto[];
}

export const entryType: MessageType<EntryProto> = message<EntryProto>("StringStringEntryProto", {
  key: { one: [1, "string"] },
  value: { one: [2, "string"] },
});

export const tensorProtoType: MessageType<TensorProto> = message<TensorProto>("TensorProto", {
  dims: { many: [1, "int64"] },
  dataType: { one: [2, "int32"] },
  floatData: { one: [4, "packed-32"] },
  int32Data: { one: [5, "packed-varint"] },
  stringData: { many: [6, "bytes"] },
  int64Data: { one: [7, "packed-varint"] },
  name: { one: [8, "string"] },
  rawData: { one: [9, "bytes"] },
  doubleData: { one: [10, "packed-64"] },
  uint64Data: { one: [11, "packed-varint"] },
  docString: { one: [12, "string"] },
  externalData: { many: [13, () => entryType] },
  dataLocation: { one: [14, "int32"] },
  metadata: { many: [16, () => entryType] },
});

/** Only the values are looked at, for the name; the message itself is kept as bytes. */
export const sparseTensorType: MessageType<SparseTensorProto> = message<SparseTensorProto>("SparseTensorProto", {
  values: { one: [1, () => tensorProtoType] },
});

const dimensionType: MessageType<DimensionProto> = message<DimensionProto>("TensorShapeProto.Dimension", {
  value: { one: [1, "int64"] },
  param: { one: [2, "string"] },
  denotation: { one: [3, "string"] },
});

const shapeType: MessageType<ShapeProto> = message<ShapeProto>("TensorShapeProto", {
  dim: { many: [1, () => dimensionType] },
});

const tensorTypeType: MessageType<TensorTypeProto> = message<TensorTypeProto>("TypeProto.Tensor", {
  elemType: { one: [1, "int32"] },
  shape: { one: [2, () => shapeType] },
});

const elementTypeType: MessageType<ElementTypeProto> = message<ElementTypeProto>("TypeProto.Sequence", {
  elemType: { one: [1, () => typeProtoType] },
});

const mapTypeType: MessageType<MapTypeProto> = message<MapTypeProto>("TypeProto.Map", {
  keyType: { one: [1, "int32"] },
  valueType: { one: [2, () => typeProtoType] },
});

export const typeProtoType: MessageType<TypeProto> = message<TypeProto>("TypeProto", {
  tensor: { one: [1, () => tensorTypeType] },
  sequence: { one: [4, () => elementTypeType] },
  map: { one: [5, () => mapTypeType] },
  denotation: { one: [6, "string"] },
  opaque: { one: [7, "bytes"] },
  sparse: { one: [8, () => tensorTypeType] },
  optional: { one: [9, () => elementTypeType] },
});

const valueInfoType: MessageType<ValueInfoProto> = message<ValueInfoProto>("ValueInfoProto", {
  name: { one: [1, "string"] },
  type: { one: [2, () => typeProtoType] },
  docString: { one: [3, "string"] },
  metadata: { many: [4, () => entryType] },
});

export const attributeType: MessageType<AttributeProto> = message<AttributeProto>("AttributeProto", {
  name: { one: [1, "string"] },
  f: { one: [2, "float"] },
  i: { one: [3, "int64"] },
  s: { one: [4, "bytes"] },
  t: { one: [5, () => tensorProtoType] },
  g: { one: [6, () => graphType] },
  floats: { many: [7, "float"] },
  ints: { many: [8, "int64"] },
  strings: { many: [9, "bytes"] },
  tensors: { many: [10, () => tensorProtoType] },
  graphs: { many: [11, () => graphType] },
  docString: { one: [13, "string"] },
  typeProto: { one: [14, () => typeProtoType] },
  typeProtos: { many: [15, () => typeProtoType] },
  type: { one: [20, "int32"] },
  refAttrName: { one: [21, "string"] },
  sparseTensor: { one: [22, "bytes"] },
  sparseTensors: { many: [23, "bytes"] },
});

const nodeType: MessageType<NodeProto> = message<NodeProto>("NodeProto", {
  input: { many: [1, "string"] },
  output: { many: [2, "string"] },
  name: { one: [3, "string"] },
  opType: { one: [4, "string"] },
  attribute: { many: [5, () => attributeType] },
  docString: { one: [6, "string"] },
  domain: { one: [7, "string"] },
  overload: { one: [8, "string"] },
  metadata: { many: [9, () => entryType] },
});

export const graphType: MessageType<GraphProto> = message<GraphProto>("GraphProto", {
  node: { many: [1, () => nodeType] },
  name: { one: [2, "string"] },
  initializer: { many: [5, () => tensorProtoType] },
  docString: { one: [10, "string"] },
  input: { many: [11, () => valueInfoType] },
  output: { many: [12, () => valueInfoType] },
  valueInfo: { many: [13, () => valueInfoType] },
  sparseInitializer: { many: [15, "bytes"] },
  metadata: { many: [16, () => entryType] },
});

const operatorSetType: MessageType<OperatorSetProto> = message<OperatorSetProto>("OperatorSetIdProto", {
  domain: { one: [1, "string"] },
  version: { one: [2, "int64"] },
});

const functionType: MessageType<FunctionProto> = message<FunctionProto>("FunctionProto", {
  name: { one: [1, "string"] },
  input: { many: [4, "string"] },
  output: { many: [5, "string"] },
  attribute: { many: [6, "string"] },
  node: { many: [7, () => nodeType] },
  docString: { one: [8, "string"] },
  opsetImport: { many: [9, () => operatorSetType] },
  domain: { one: [10, "string"] },
  defaults: { many: [11, () => attributeType] },
  valueInfo: { many: [12, () => valueInfoType] },
  overload: { one: [13, "string"] },
  metadata: { many: [14, () => entryType] },
});

export const modelType: MessageType<ModelProto> = message<ModelProto>("ModelProto", {
  irVersion: { one: [1, "int64"] },
  producerName: { one: [2, "string"] },
  producerVersion: { one: [3, "string"] },
  domain: { one: [4, "string"] },
  modelVersion: { one: [5, "int64"] },
  docString: { one: [6, "string"] },
  graph: { one: [7, () => graphType] },
  opsetImport: { many: [8, () => operatorSetType] },
  metadata: { many: [14, () => entryType] },
  trainingInfo: { many: [20, "bytes"] },
  functions: { many: [25, () => functionType] },
});
