/** A cursor over ONNX text: white space, comments, identifiers, strings and numbers, and errors that say where. */
import { AvocetError } from "../../base/inner.ts";

/** A number as it was written; `whole` when it has neither point nor exponent and is not nan or inf. */
export interface NumberToken {
  readonly text: string;
  readonly whole: boolean;
}

const identifierPattern = /[A-Za-z_][A-Za-z0-9_]*/y;
const numberPattern = /-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?/y;
const specialPattern = /-?(?:inf|infinity|nan)(?![A-Za-z0-9_])/iy;
const spaces = new Set([" ", "\t", "\n", "\v", "\f", "\r"]);

export class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where the next token begins: the place for messages about it. */
  get offset(): number {
    this.#skipSpace();
    return this.#at;
  }

  /** The next character that is neither white space nor comment; "" at the end. */
  peek(): string {
    this.#skipSpace();
    return this.#text.charAt(this.#at);
  }

  /** Takes exactly this text if it comes next. */
  take(token: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  /** Takes this text or throws `text/syntax`. */
  expect(token: string): void {
    if (!this.take(token)) throw this.fail(`"${token}"`);
  }

  peekIdentifier(): string {
    this.#skipSpace();
    return this.#match(identifierPattern);
  }

  /** The next identifier, or "" when something else comes next. */
  identifier(): string {
    const found = this.peekIdentifier();
    this.#at += found.length;
    return found;
  }

  /** An identifier or a quoted string. `what` is for the message. */
  name(what: string): string {
    if (this.peek() === '"') return this.string(what);
    const found = this.identifier();
    if (!found) throw this.fail(what, "names with other characters than letters, digits and _ stand in double quotes");
    return found;
  }

  /** A quoted string. A backslash takes the next character as it is; there are no other escapes. */
  string(what = "a string in double quotes"): string {
    const start = this.offset;
    if (!this.take('"')) throw this.fail(what);
    let value = "";
    let from = this.#at;
    for (;;) {
      const char = this.#text.charAt(this.#at);
      if (char === "") throw this.fail('the closing " of a string', undefined, start);
      if (char === '"') break;
      if (char === "\\") {
        value += this.#text.slice(from, this.#at);
        from = this.#at + 1;
        this.#at++;
        if (this.#at >= this.#text.length) throw this.fail('the closing " of a string', undefined, start);
      }
      this.#at++;
    }
    value += this.#text.slice(from, this.#at);
    this.#at++;
    return value;
  }

  /** Whether nan, inf or infinity (in any case, maybe with a minus) comes next. */
  atSpecialNumber(): boolean {
    this.#skipSpace();
    return this.#match(specialPattern) !== "";
  }

  /** A number, or undefined when something else comes next. */
  number(): NumberToken | undefined {
    this.#skipSpace();
    const special = this.#match(specialPattern);
    if (special) {
      this.#at += special.length;
      return { text: special, whole: false };
    }
    const text = this.#match(numberPattern);
    this.#at += text.length;
    return text ? { text, whole: !/[.eE]/.test(text) } : undefined;
  }

  /** The error "expected …, got …" at an offset (default: the next token). */
  fail(expected: string, hint?: string, offset = this.offset): AvocetError {
    return this.error(`expected ${expected}, got ${this.#shown(offset)}`, offset, hint);
  }

  /** An error about the text at an offset. */
  error(problem: string, offset: number, hint?: string): AvocetError {
    const before = this.#text.slice(0, offset).split("\n");
    const at = `${before.length}:${before[before.length - 1]!.length + 1}`;
    return new AvocetError("text/syntax", problem, hint === undefined ? { at } : { at, hint });
  }

  #shown(offset: number): string {
    if (offset >= this.#text.length) return "the end of the text";
    const token = /[\w.]+|./sy;
    token.lastIndex = offset;
    return JSON.stringify(token.exec(this.#text)![0].slice(0, 40));
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0] ?? "";
  }

  #skipSpace(): void {
    for (;;) {
      const char = this.#text.charAt(this.#at);
      if (spaces.has(char)) this.#at++;
      else if (char === "#") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else return;
    }
  }
}
