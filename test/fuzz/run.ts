/** Tries ranges of seeds of a target in a child process that may hang, crash or grow, and says what became of each. */
import { type ChildProcess, fork } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Job {
  readonly target: string;
  readonly first: number;
  readonly count: number;
}

export type Outcome =
  | { readonly kind: "ok" }
  | { readonly kind: "error"; readonly code: string; readonly at: boolean; readonly hint: boolean }
  | { readonly kind: "foreign"; readonly text: string }
  | { readonly kind: "hang" | "memory" | "crash"; readonly text?: string };

export interface Failure {
  readonly target: string;
  readonly seed: number;
  readonly outcome: Outcome;
  /** The mutant as a file. */
  readonly bytes: Uint8Array;
  readonly ending: string;
  /** What the model was fed, as .npz, where it was run. */
  readonly data?: Uint8Array | undefined;
}

export interface Result {
  /** How many mutants ended how: "ok", "error", "error without hint", "foreign", "hang", "memory", "crash". */
  readonly counts: Record<string, number>;
  readonly failures: Failure[];
  /** Bytes of memory at the worst moment. */
  readonly peak: number;
}

export interface RunOptions {
  /** The bundled worker. */
  readonly worker: string;
  /** Milliseconds that one mutant may take. Default 20,000: a machine under load stands still for seconds. */
  readonly timeout?: number;
  /** Bytes of memory that a process may take. Default 1.6 GB. */
  readonly memory?: number;
}

/** One process after the other: each lives until a mutant ends it. */
export class Lane implements AsyncDisposable {
  readonly #options: RunOptions;
  #child: Child | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** Tries `count` mutants of a target from seed `first` on. */
  async fuzz({ target, first, count }: Job): Promise<Result> {
    const counts: Record<string, number> = {};
    const failures: Failure[] = [];
    let peak = 0;
    const add = (kind: string, more = 1) => {
      counts[kind] = (counts[kind] ?? 0) + more;
    };
    for (let next = first; next < first + count; ) {
      this.#child ??= await start(this.#options);
      const found: Found[] = [];
      next = await this.#child.run({ target, first: next, count: first + count - next }, (told) => {
        for (const [kind, more] of Object.entries(told.counts)) add(kind, more);
        for (const { outcome } of told.failures) if (outcome.kind !== "foreign") add(outcome.kind);
        found.push(...told.failures);
        peak = Math.max(peak, told.peak);
      });
      for (const one of found) failures.push({ target, ...one, ...(await shown(target, one.seed, this.#options)) });
      if (found.some(({ outcome }) => outcome.kind !== "foreign")) await this[Symbol.asyncDispose]();
    }
    return { counts, failures, peak };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
    this.#child = null;
  }
}

interface Found {
  readonly seed: number;
  readonly outcome: Outcome;
}

/** What a worker reports from time to time; `next` with the last of them. */
interface Told {
  readonly counts: Record<string, number>;
  readonly failures: readonly Found[];
  readonly peak: number;
  readonly next?: number;
}

type Hear = (told: Told) => void;

interface Child extends AsyncDisposable {
  /** Tries the seeds of a job; returns the first that was not tried. */
  run(job: Job, hear: Hear): Promise<number>;
}

async function start({ worker, timeout = 20_000, memory = 1.6e9 }: RunOptions): Promise<Child> {
  const folder = mkdtempSync(join(tmpdir(), "avocet-fuzz-"));
  const heartbeat = join(folder, "seed");
  writeFileSync(heartbeat, Buffer.alloc(8));
  const process = fork(worker, [heartbeat, String(memory)], {
    execArgv: ["--max-old-space-size=1200"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let noise = "";
  process.stderr!.on("data", (chunk: Buffer) => {
    noise = `${noise}${chunk}`.slice(-2000);
  });
  await message(process);
  return {
    run: (job, hear) => watched(process, job, hear, { heartbeat, timeout, noise: () => noise }),
    [Symbol.asyncDispose]: async () => {
      process.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Watch {
  readonly heartbeat: string;
  readonly timeout: number;
  noise(): string;
}

/** Listens until the job is done, or until the process has ended or stands still: then the seed of the heartbeat did it. */
function watched(child: ChildProcess, job: Job, hear: Hear, { heartbeat, timeout, noise }: Watch): Promise<number> {
  return new Promise((resolve) => {
    let [seed, since] = [-1, Date.now()];
    const end = (next: number) => {
      clearInterval(timer);
      child.removeAllListeners();
      resolve(next);
    };
    const fail = (kind: "hang" | "crash" | "memory", text: string) => {
      const at = seedOf(heartbeat);
      hear({ counts: {}, failures: [{ seed: at, outcome: { kind, text } }], peak: 0 });
      end(at + 1);
    };
    const timer = setInterval(() => {
      const now = seedOf(heartbeat);
      if (now !== seed) [seed, since] = [now, Date.now()];
      else if (Date.now() - since > timeout && seed >= 0) fail("hang", `longer than ${timeout} ms`);
    }, 250);
    child.once("exit", (code, signal) => {
      const grew = noise().includes("heap out of memory");
      fail(grew ? "memory" : "crash", `code ${code}, signal ${signal}\n${noise()}`);
    });
    child.on("message", (told: Told) => {
      hear(told);
      if (told.next !== undefined) end(told.next);
    });
    child.send(job);
  });
}

function seedOf(heartbeat: string): number {
  const file = openSync(heartbeat, "r");
  const bytes = Buffer.alloc(8);
  readSync(file, bytes, 0, 8, 0);
  closeSync(file);
  return bytes.readDoubleLE();
}

/** The mutant of a seed, made in a process of its own. */
async function shown(
  target: string,
  seed: number,
  options: RunOptions,
): Promise<Pick<Failure, "bytes" | "ending" | "data">> {
  const folder = mkdtempSync(join(tmpdir(), "avocet-fuzz-"));
  const heartbeat = join(folder, "seed");
  writeFileSync(heartbeat, Buffer.alloc(8));
  const child = fork(options.worker, [heartbeat, "1e12"], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  try {
    await message(child);
    child.send({ target, show: seed });
    const { bytes, ending, data } = (await message(child)) as { bytes: string; ending: string; data?: string };
    const plain = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
    return { bytes: plain(bytes), ending, data: data === undefined ? undefined : plain(data) };
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once("message", (value) => {
      child.removeAllListeners("exit");
      resolve(value);
    });
    child.once("exit", (code) => reject(new Error(`the worker ended with ${code} before it answered`)));
  });
}
