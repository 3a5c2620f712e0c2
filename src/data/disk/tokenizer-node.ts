/** Tokenizers of Hugging Face, through their own package, which who has text installs: `npm install @huggingface/tokenizers`. */
import { dirname, join } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import { readJson, statOf } from "./file-source-node.ts";

/** The tokens of a text, with or without the special ones that its model expects around it. */
export type Encode = (text: string, special: boolean) => readonly number[];

/** What is used of the package. */
interface Package {
  readonly Tokenizer: new (
    tokenizer: unknown,
    config: unknown,
  ) => { encode(text: string, options: { add_special_tokens: boolean }): { readonly ids: readonly number[] } };
}

const name = "@huggingface/tokenizers";

/** The tokenizer of a `tokenizer.json`. Throws `usage/missing` without the package, `data/unreadable`. */
export async function openTokenizer(path: string): Promise<Encode> {
  const json = await readJson(path);
  const beside = join(dirname(path), "tokenizer_config.json");
  const config = exists(beside) ? await readJson(beside) : {};
  let made: Package;
  try {
    // Not a literal: the package is no dependency, and neither types nor bundles have to find it.
    made = (await import(name as string)) as Package;
  } catch (cause) {
    throw new AvocetError("usage/missing", `expected the package ${name} for text, got none`, {
      at: path,
      hint: `npm install ${name}`,
      cause,
    });
  }
  try {
    const tokenizer = new made.Tokenizer(json, config);
    return (text, special) => tokenizer.encode(text, { add_special_tokens: special }).ids;
  } catch (cause) {
    throw new AvocetError("data/unreadable", `expected a tokenizer.json, got another (${(cause as Error).message})`, {
      at: path,
      cause,
    });
  }
}

function exists(path: string): boolean {
  try {
    return !statOf(path).folder;
  } catch {
    return false;
  }
}
