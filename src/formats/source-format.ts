/** What a format has to say for its files to become models: one row of `sources.ts`, and a reader in a folder of its own. */
import type { Model } from "../ir/inner.ts";
import type { ByteSource } from "./byte-source.ts";
import type { ExternalData } from "./onnx/context.ts";

/** What a reader is told where a file leaves a choice. */
export interface SourceChoices {
  /** Which signature of a SavedModel becomes the model (default: `serving_default`, or the only one). */
  readonly signature?: string;
  /** TensorFlow's graphs: images come in as [batch, channels, height, width] (default: as the source has them, channels last). */
  readonly channelsFirst?: boolean;
}

/** A file that was read whole, or all of it but weights that `external` finds. */
export interface SourceFile {
  /** Its path or name, for messages. */
  readonly name: string;
  /** Must not change while the model lives: tensors may be views of it. */
  readonly bytes: Uint8Array;
  /** Finds data that lies in other files, by location; absent where there are none to look at. */
  readonly external?: ExternalData;
  readonly choices?: SourceChoices;
}

/** What reads files of one format: the module `read.ts` of its folder. */
export interface SourceReader {
  /** The model. Throws `import/…` and `graph/invalid-node`, never anything else, whatever the bytes are. */
  read(file: SourceFile): Model;
  /** A file of any size, of which only ranges are read; weights are when they are looked at. */
  readRanges?(source: ByteSource, choices: SourceChoices): Model;
  /** A large file with its weights left where they are; undefined where that cannot be. `external` finds what lies in others. */
  withoutWeights?(source: ByteSource, external: ExternalData): SourceFile | undefined;
}

export interface SourceFormat {
  /** One word in kebab-case, for example "onnx". */
  readonly name: string;
  /** With its article, as it stands in messages: "an ONNX model". */
  readonly what: string;
  /** The largest file that is read, and the way out for larger ones. */
  readonly limit: { readonly bytes: number; readonly hint: string };
  /** Whether a file that starts with these bytes (up to 4,096, at least one) and has this name is of the format. */
  recognises(start: Uint8Array, name: string): boolean;
  /** The file that stands for a whole folder with these names (default: a folder is none of the format). */
  mainFile?(names: readonly string[]): string | undefined;
  /** The reader, where it is always at hand: then `readModel` reads the format, too. */
  readonly reader?: SourceReader;
  /** Loads the reader, so that a program that never meets the format does not carry it. */
  load(): Promise<SourceReader>;
}
