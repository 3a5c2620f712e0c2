/** bench/results/mutation.md: a row for each file, and every survivor with its reason. */
import { groups } from "./groups.mjs";
import { stateOf } from "./state.mjs";

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

/** What share of its mutants was found; all where there are none. */
export const shareFound = (file) => (total(file) === 0 ? 1 : (file.killed + file.timeout) / total(file));

/** Survivors of a file without a reason. */
export const openOf = (name, file, reasons) => file.survivors.filter((survivor) => !reasonFor(name, survivor, reasons));

/** Files of the groups, a line for each group that has some. */
function listed(title, filesOfGroup) {
  const rows = Object.entries(filesOfGroup).filter(([, files]) => files.length > 0);
  const names = (files) => files.map((file) => code(file.split("/").at(-1))).join(", ");
  return rows.length === 0 ? [] : ["", title, "", ...rows.map(([group, files]) => `- \`${group}\`: ${names(files)}`)];
}

/** The page, of results by file; `sources` are the lines of all files by path. */
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
  const state = Object.entries(stateOf(stored, sources));
  const which = (key) => Object.fromEntries(state.map(([group, one]) => [group, one[key]]));
  lines.push(...listed("Not run yet:", which("missing")));
  lines.push(...listed("Rows of code that has changed since:", which("changed")));
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
