/**
 * Every call to the disk of every command that writes, failed in turn: faults, full disks and kills, all of them instead of the sample that
 * `npm test` takes. Then processes that are really killed: SIGKILL at the n-th call of `quantize`, `convert` and `train`, and the same command
 * again. Needs `npm run build`. Takes about half an hour; `node bench/faults.mjs kills` does only the second part.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeNpy } from "../dist/data/inner-files.js";
import { writeModelFile } from "../dist/formats/inner-node.js";
import { parseModel } from "../dist/ir/inner.js";
import { Tensor } from "../dist/tensor/inner.js";

const root = fileURLToPath(new URL("..", import.meta.url));
if (process.argv[2] !== "kills") {
  const env = { ...process.env, AVOCET_FAULTS: "all" };
  spawnSync("npx", ["vitest", "run", "test/faults.test.ts", "--maxWorkers=1"], { cwd: root, env, stdio: "inherit" });
}

const text = `<ir_version: 10, opset_import: ["" : 21]>
  tiny (float[N,8,6,6] x) => (float[N,5] y) <float[16,8,3,3] w1, float[16] b1, float[5,16] w2> {
    c = Conv <pads = [1,1,1,1]> (x, w1, b1)
    r = Relu(c)
    p = GlobalAveragePool(r)
    f = Flatten(p)
    y = Gemm <transB = 1> (f, w2) }`;
const inputs = mkdtempSync(join(tmpdir(), "avocet-kills-"));
writeModelFile(parseModel(text, { seed: 2 }), join(inputs, "tiny.onnx"));
const ramp = Float32Array.from({ length: 8 * 288 }, (_, i) => Math.sin(i));
writeFileSync(join(inputs, "x.npy"), writeNpy(Tensor.float32([8, 8, 6, 6], ramp)));

/** Ends the process at its n-th call that changes the disk. */
const hook = (n) =>
  `data:text/javascript,${encodeURIComponent(`
  import { interceptDisk } from ${JSON.stringify(new URL("../dist/base/inner-node.js", import.meta.url).href)};
  let count = 0;
  interceptDisk((call, path, act) => {
    if (/^(create|mkdir|rename|link|unlink|rmdir|write)$/.test(call) && count++ === ${n}) process.kill(process.pid, "SIGKILL");
    return act();
  });`)}`;
const command = join(root, "dist/cli/main.js");
const env = { ...process.env, AVOCET_SUPERVISOR: "off" };
const quick = ["--data", "x.npy", "-o", "out", "--preset", "fast", "--samples", "4", "--threads", "1", "--quiet"];
const commands = {
  quantize: ["quantize", "tiny.onnx", ...quick],
  train: ["train", "tiny.onnx", ...quick, "--epochs", "1", "--batch", "4"],
  convert: ["convert", "tiny.onnx", "-o", "out", "--external", "always"],
};
for (const [name, args] of Object.entries(commands)) {
  let [kills, whole, absent, wrong] = [0, 0, 0, 0];
  for (let n = 0; ; n++) {
    const work = mkdtempSync(join(tmpdir(), "avocet-kill-"));
    cpSync(inputs, work, { recursive: true, preserveTimestamps: true });
    const killed = spawnSync(process.execPath, ["--import", hook(n), command, ...args], { cwd: work, env });
    if (killed.signal !== "SIGKILL") {
      rmSync(work, { recursive: true });
      break;
    }
    kills++;
    const there = existsSync(join(work, "out"));
    if (there) whole++;
    else absent++;
    const again = [...args, ...(there ? ["--force"] : [])];
    if (existsSync(join(work, ".out.avocet-checkpoint"))) again.push("--resume");
    const { status, stderr } = spawnSync(process.execPath, [command, ...again], { cwd: work, env });
    const litter = readdirSync(work).filter((entry) => entry.startsWith("."));
    if (status !== 0 || litter.length > 0) {
      wrong++;
      console.log(`${name}, killed at ${n}: then exit ${status}, left ${litter.join(" ") || "nothing"}\n${stderr}`);
    }
    rmSync(work, { recursive: true });
  }
  console.log(`${name}: killed at ${kills} calls, output whole ${whole}, absent ${absent}; repeated wrongly ${wrong}`);
}
rmSync(inputs, { recursive: true });
