/**
 * Limits that are kept against damaged and hostile models, each with its reason: by readers, and behind them by what
 * believes lengths, inlines, folds and traces. Ranges of attributes are in ops/attribute-limits.ts, limits of data in
 * data/limits.ts; docs/debugging.md has them in one table.
 */

export const limits = {
  /**
   * Nesting of protobuf messages. Protobuf's own readers stop at 100, so no file that they can read is refused; a
   * control-flow body costs three levels (node, attribute, graph).
   */
  messageDepth: 100,
  /**
   * Decoded things of one file, in units of one list element that is a number; the costs of larger things follow. 64 M
   * units are two million messages (a language model with full metadata has about half a million) or 512 MB of
   * numbers, which is what a default Node process can hold.
   */
  decodedUnits: 64_000_000,
  /** An object with a few fields. */
  messageCost: 32,
  /** A string, or a view of bytes, in a list. */
  textCost: 16,
  /**
   * Bytes of one name or note, so that messages about them stay short enough to be made: the longest seen in real files
   * are vocabularies of a few megabytes in the metadata.
   */
  textBytes: 64 * 2 ** 20,
  /** Nodes, their inputs and their outputs: exports of the largest models have some 400,000; each takes up to 700 bytes. */
  graphParts: 1_000_000,
  /** Dimensions of a tensor. ONNX sets no limit; NumPy stops at 64, ONNX Runtime's kernels at far fewer. */
  rank: 64,
  /** Bytes of one ONNX file: a protobuf message may not reach 2 GiB; larger weights belong in external data. */
  onnxFileBytes: 2 ** 31 - 1,
  /** Bytes of the header of a safetensors file, or of an index of such files: the limit of the format's own reader. */
  safetensorsHeaderBytes: 100_000_000,
  /** Bytes of a GGUF file in front of its tensors: the largest vocabularies take some 15 MB with their merges and scores. */
  ggufHeaderBytes: 64 * 2 ** 20,
  /** Instructions of a pickle: about forty for each tensor, of which the largest checkpoints have some ten thousand. */
  pickleSteps: 5_000_000,
  /** Files in an archive: one for each weight, of which the largest models have some ten thousand. */
  archiveEntries: 100_000,
  /** Inflated bytes of all files of an archive: what is stored without compression, as PyTorch stores it, is read by range and has no limit. */
  inflatedBytes: 2 ** 30,
  /** Bytes of one tensor: one typed array of Node 20 ends at 4 GiB. */
  tensorBytes: 2 ** 32,
  /** Calls of the model's own functions in each other: ONNX forbids recursion, and exporters nest three or four deep. */
  functionDepth: 100,
  /**
   * Elements of a tensor that a reader of graphs keeps in mind while it imports: shapes and axes have a few, so that what is computed
   * from them never reaches the graph.
   */
  knownElements: 1024,
  /**
   * Bytes that all results of constant folding may have, those in between included, next to twice the model's own
   * constants. Real models fold shape arithmetic and tables of some kilobytes, and weights, which stay as large as they are.
   */
  foldedBytes: 64 * 2 ** 20,
  /** Multiply-accumulates, or steps of as much work, of all that is folded: seconds on one core. */
  foldedWork: 2 ** 33,
  /** Bytes of one input that is made up to trace shapes: a batch of large images has a tenth of it. */
  tracedInputBytes: 2 ** 28,
  /** How many faults of one file are listed in one error: enough to see a pattern, few enough to read. */
  faultsShown: 20,
  /** Characters of one listed fault: names in a file may be of any length. */
  faultLength: 400,
} as const;
