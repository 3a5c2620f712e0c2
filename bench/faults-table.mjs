/** The table of bench/faults.mjs: rows are kept by part and command in bench/results/faults.json, and faults.md is printed from them. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(`results/${name}`, import.meta.url));

const parts = {
  calls: {
    command: "node bench/faults.mjs calls",
    text: `Each call to the disk of a command fails once, in the process: with an error, by a disk that is full from there on, by a kill (nothing
reaches the disk any more). Inputs stay, the output is the old or the new one and whole, nothing is left over, and the same command then ends well.`,
    columns: ["calls with an error", "full disk", "killed"],
  },
  kills: {
    command: "node bench/faults.mjs kills",
    text: `A process that kills itself (SIGKILL) right before a call that changes the disk, then the same command again (with \`--resume\` where there
is a checkpoint). *Absent*, *whole*: what the output was after the kill. *Wrong*: half an output, a repeat that failed or gave other bytes than a
run that nobody disturbed, or something left next to the output. The rows weight-only and dynamic are \`quantize --method gptq\` of three matrices, which
keeps each finished layer.`,
    columns: ["calls that change the disk", "killed at", "absent", "whole", "wrong", "seconds"],
  },
  interrupts: {
    command: "node bench/faults.mjs interrupts",
    text: `Ctrl-C or SIGTERM at moments of the first 2.5 seconds: starting, at work, in native code that never comes back, writing. Milliseconds to
the end of the command; its output is whole or not there, and nothing else is left.`,
    columns: ["signals", "slowest end, ms", "failed"],
  },
};

/** Keeps the rows of a part, and prints the page. */
export function keep(part, rows) {
  const kept = existsSync(path("faults.json")) ? JSON.parse(readFileSync(path("faults.json"), "utf8")) : {};
  kept.machine = `${cpus()[0].model.trim()}, Node ${process.version.slice(1)}`;
  kept.load = Math.max(kept.load ?? 0, Math.round(loadavg()[0]));
  kept[part] = { ...kept[part], ...rows };
  writeFileSync(path("faults.json"), `${JSON.stringify(kept, null, 1)}\n`);
  writeFileSync(path("faults.md"), page(kept));
}

function page({ machine, load, ...kept }) {
  const sections = Object.entries(parts).filter(([part]) => kept[part]);
  return `# Faults of the disk, kills and interrupts

Machine: ${machine}; at most ${load} programs wanted its processors at once, and all milliseconds wait for them.
${sections
  .map(([part, { command, text, columns }]) => {
    const rows = Object.entries(kept[part]).map(([name, cells]) => `| ${name} | ${cells.join(" | ")} |`);
    const head = `| command | ${columns.join(" | ")} |\n| --- |${" --: |".repeat(columns.length)}`;
    return `\n\`${command}\`\n\n${text}\n\n${head}\n${rows.join("\n")}\n`;
  })
  .join("")}`;
}
