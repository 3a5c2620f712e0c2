/** The package as users get it: packed, installed into an empty folder, typed, run, and judged by publint. */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { staleBuild } from "./built-command.ts";
import { root } from "./source-files.ts";

const run = promisify(execFile);
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
  bin: Record<string, string>;
  dependencies: Record<string, string>;
  exports: Record<string, unknown>;
};

/** What our own lock file says about the dependencies of users, so that npm takes them from its cache without asking. */
function lockFor(tarball: Buffer, dependencies: { readonly avocet: string }): object {
  type Entry = { readonly dev?: boolean; readonly link?: boolean };
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, Entry>;
  };
  const ours = Object.entries(packages).filter(
    ([path, entry]) => path.startsWith("node_modules/") && !entry.dev && !entry.link,
  );
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  const { version, bin, dependencies: needs } = manifest;
  const avocet = { version, resolved: dependencies.avocet, integrity, bin, dependencies: needs };
  return {
    name: "app",
    lockfileVersion: 3,
    requires: true,
    packages: { "": { name: "app", dependencies }, "node_modules/avocet": avocet, ...Object.fromEntries(ours) },
  };
}

const reason = staleBuild();

describe.skipIf(reason)(`the packed package${reason ? ` (${reason})` : ""}`, () => {
  let folder = "";
  let app = "";
  const write = (name: string, text: string) => writeFileSync(join(app, name), text);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "avocet-package-"));
    app = join(folder, "app");
    execFileSync("npm", ["pack", "--pack-destination", folder, "--ignore-scripts", "--silent"], { cwd: root });
    mkdirSync(app);
    const tarball = `avocet-${manifest.version}.tgz`;
    const dependencies = { avocet: `file:../${tarball}` };
    write("package.json", JSON.stringify({ name: "app", private: true, type: "module", dependencies }));
    write("package-lock.json", JSON.stringify(lockFor(readFileSync(join(folder, tarball)), dependencies)));
    // The script of onnxruntime-node would download CUDA; on the CPU it is not needed.
    const quick = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];
    await run("npm", ["ci", ...quick], { cwd: app });
  }, 120_000);

  test("the command runs", async () => {
    const { stdout } = await run(join(app, "node_modules", ".bin", "avocet"), ["--version"], { cwd: app });
    expect(stdout.trim()).toBe(manifest.version);
  });

  test("a typed program compiles against it and runs", async () => {
    write(
      "program.ts",
      `import { check, openRuntime, parseModel, parseRecipe, type Plan, Tensor } from "avocet";
import { addNode } from "avocet/ir";

const model = parseModel("(float[2] x) => (y) { y = Relu(x) }");
addNode(model.graph, "Neg", [model.graph.outputs[0]!], {}, { output: "z" });
check(model);
const plan: Plan | undefined = undefined;
await using session = await (await openRuntime()).open(model);
const { y } = await session.run({ x: Tensor.float32([2], [-1, 2]) });
console.log(y?.numbers().join(" "), typeof parseRecipe({}), plan);
`,
    );
    write(
      "tsconfig.json",
      JSON.stringify({
        compilerOptions: {
          target: "ES2022",
          lib: ["ES2023", "ESNext.Disposable", "DOM", "DOM.AsyncIterable"],
          module: "NodeNext",
          strict: true,
          exactOptionalPropertyTypes: true,
          // Our declarations must stand alone: they are checked, and there are no types of Node to help them.
          skipLibCheck: false,
          types: [],
        },
        include: ["program.ts"],
      }),
    );
    await compile(app);
    const { stdout } = await run(process.execPath, ["program.js"], { cwd: app });
    expect(stdout.trim()).toBe("0 2 object undefined");
  });

  test("avocet.config.mjs is found, and defineConfig is there for it", async () => {
    write(
      "avocet.config.mjs",
      'import { defineConfig } from "avocet";\nexport default defineConfig({ preset: "fancy" });',
    );
    copyFileSync(join(root, "examples/models/pictures.onnx"), join(app, "model.onnx"));
    const ended = run(join(app, "node_modules", ".bin", "avocet"), ["quantize", "model.onnx", "-o", "out"], {
      cwd: app,
    });
    await expect(ended).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/recipe\/invalid: .*preset[\s\S]*avocet\.config\.mjs/s),
    });
  });

  test("every subpath loads, and none of them loads the runtime", async () => {
    const subpaths = Object.keys(manifest.exports).filter((subpath) => !subpath.endsWith(".json"));
    write(
      "load.js",
      `for (const subpath of ${JSON.stringify(subpaths)}) await import("avocet" + subpath.slice(1));
const native = process.report.getReport().sharedObjects.filter((path) => path.includes("onnxruntime"));
console.log(JSON.stringify(native));
`,
    );
    const { stdout } = await run(process.execPath, ["load.js"], { cwd: app });
    expect(JSON.parse(stdout)).toEqual([]);
  });

  test("a bundler for browsers needs no configuration, and finds nothing of Node", async () => {
    write("page.js", 'export { openRuntime, quantizeModel } from "avocet";');
    const warnings: string[] = [];
    const build = await rolldown({
      input: join(app, "page.js"),
      cwd: app,
      platform: "browser",
      external: [/^onnxruntime-web\//],
      onLog: (_level, log) => {
        warnings.push(log.message);
      },
    });
    const { output } = await build.generate({ format: "esm" });
    await build.close();
    expect(warnings).toEqual([]);
    const code = output.map((part) => (part.type === "chunk" ? part.code : "")).join("\n");
    expect(code).not.toMatch(/["'](node:|onnxruntime-node|#platform)/);
    expect(code).toContain("onnxruntime-web/wasm");
  });

  test("publint has nothing to say", async () => {
    const pkgDir = join(app, "node_modules", "avocet");
    const { messages, pkg } = await publint({ pkgDir, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg!, { color: false }))).toEqual([]);
  });

  const packed = () => {
    const list = execFileSync("tar", ["-tzf", join(folder, `avocet-${manifest.version}.tgz`)], { encoding: "utf8" });
    return list.trim().split("\n");
  };

  test("no link in a packed document leads outside the package", () => {
    const files = packed().map((file) => posix.relative("package", file));
    const there = (path: string) =>
      files.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, "")}/`));
    const dangling = files
      .filter((file) => file.endsWith(".md"))
      .flatMap((file) =>
        [...readFileSync(join(root, file), "utf8").matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
          .map((match) => match[1]!)
          .filter((link) => !/^[a-z]+:/.test(link) && !there(posix.join(posix.dirname(file), link)))
          .map((link) => `${file}: ${link}`),
      );
    expect(dangling).toEqual([]);
  });

  test("tests, sources and fixtures stay at home", () => {
    const files = packed();
    expect(files.filter((file) => /\.test\.|\/src\/|\/test\/|fixture/.test(file))).toEqual([]);
    expect(files).toContain("package/dist/cli/main.js");
    expect(files).toContain("package/README.md");
    expect(files).toContain("package/schema/recipe.schema.json");
  });
});

/** Runs the compiler of this repository; its complaints are the message of the failure. */
async function compile(folder: string): Promise<void> {
  try {
    await run(join(root, "node_modules", ".bin", "tsc"), ["-p", folder]);
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout);
  }
}
