/** bench/results/mutation.md: a row for each file, and every survivor with its reason. */
import { filesOf, groups } from "./groups.mjs";

const percent = (part, whole) => (whole === 0 ? "no code" : `${((100 * part) / whole).toFixed(1)} %`);
const code = (text) => `\`${text.replaceAll("|", "\\|")}\``;
export const total = ({ killed, timeout, survived, noCoverage }) => killed + timeout + survived + noCoverage;

/** A reason belongs to a line of source (so that it stays when lines move) and, where it names them, to a kind and a replacement. */
export function reasonFor(file, survivor, reasons) {
  const found = (reasons[file] ?? []).find(
    ({ source, mutator, original, replacement }) =>
      survivor.source.includes(source) &&
      (mutator === undefined || survivor.mutator === mutator) &&
      (original === undefined || survivor.original === original) &&
      (replacement === undefined || survivor.replacement === replacement),
  );
  return found?.reason;
}

/** What of a group was not run, in words. */
function notRun(group, stored, sources) {
  const all = filesOf(groups[group], sources);
  const missing = all.filter((file) => !stored[file]);
  if (missing.length === 0) return [];
  if (missing.length === all.length) return [`- \`${group}\`: none of its ${all.length} files`];
  return [`- \`${group}\`: ${missing.map((file) => code(file.split("/").at(-1))).join(", ")}`];
}

/** The page, of results by file; `sources` are the paths of all files. */
export function pageOf(stored, reasons, sources) {
  const files = Object.entries(stored).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = [
    "# Mutation testing",
    "",
    "`node bench/mutation.mjs` changes one operator, condition or statement of the source at a time (Stryker's mutators and instrumenter)",
    "and runs the tests beside it, loaded once and repeated for each mutant; `--fresh` loads them anew for each, with Stryker's own runner",
    "(the same survivors where both were run, of gptq/math.ts and range.ts). A mutant is *killed* by a failing test or by a time limit (an",
    "endless loop). Strings are not mutated: they are messages. An *equivalent* mutant computes the same; an *open* one is a test that is",
    "missing. A file's row is that of its last run, with tests of its group (some of them, where they are many) or, for the rules of autodiff,",
    "with those that come to it, and for many rows with `--seconds 3`, which gives up on a mutant that has lived through three seconds of",
    "tests: all tests can only find more. Where a file was run in rounds, with other tests for what lived, the rounds were put together by line,",
    "text and replacement: of two equal survivors on one line both count as found when one was.",
  ];
  const missing = Object.keys(groups).flatMap((group) => notRun(group, stored, sources));
  if (missing.length > 0) lines.push("", "Not run yet:", "", ...missing);
  for (const group of Object.keys(groups)) {
    const own = files.filter(([, file]) => file.group === group);
    if (own.length === 0) continue;
    lines.push("", `## ${group}`, "", "| File | Mutants | Killed | Time limit | Survived | Not covered | Found |");
    lines.push("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    const sum = { killed: 0, timeout: 0, survived: 0, noCoverage: 0 };
    const row = (name, f) =>
      `| ${name} | ${total(f)} | ${f.killed} | ${f.timeout} | ${f.survived} | ${f.noCoverage} | ${percent(f.killed + f.timeout, total(f))} |`;
    for (const [name, file] of own) {
      lines.push(row(code(name), file));
      for (const key of Object.keys(sum)) sum[key] += file[key];
    }
    lines.push(row("**together**", sum));
    const survivors = own.flatMap(([name, file]) => file.survivors.map((survivor) => ({ name, survivor })));
    if (survivors.length === 0) continue;
    lines.push("", "| Survivor | From | To | Why |", "| --- | --- | --- | --- |");
    for (const { name, survivor } of survivors) {
      const { line, original, replacement, covered } = survivor;
      const why = reasonFor(name, survivor, reasons) ?? (covered ? "open" : "open: no test comes here");
      const place = name.replace(/^src\/(quant\/|methods\/|autodiff\/rules\/)?/, "");
      lines.push(`| ${place}:${line} | ${code(original)} | ${code(replacement)} | ${why} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}
