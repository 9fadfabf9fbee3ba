// Makes ./fsmon, one file that runs when copied to another machine, from src/ and c/. Run by Bun (`npm run build`
// sets it up first). Each part is made only when what it is made from has changed, under a temporary name, and takes
// its place by a rename: a build that fails leaves the old ./fsmon as it was, and two at once do no harm.
//
//   bun build.ts [--helper] [--force]     --helper: only build/fanhelp.so; --force: all parts, changed or not
import { mkdirSync } from "node:fs";
import manifest from "./package.json" with { type: "json" };
import { makeClosedRuntime } from "./scripts/build/closed-runtime.ts";
import { commitId } from "./scripts/build/commit.ts";
import { compileBinary } from "./scripts/build/compile-binary.ts";
import { compileHelper } from "./scripts/build/compile-helper.ts";
import { contentHash, makeUnlessCurrent } from "./scripts/build/current.ts";
import { main, projectDir } from "./scripts/setup/step.mjs";

const BUILD_DIR = "build";
const HELPER = `${BUILD_DIR}/fanhelp.so`;
const RUNTIME = `${BUILD_DIR}/runtime`;
const BINARY = "fsmon";

await main(() => {
  const flags = new Set(process.argv.slice(2));
  const force = flags.has("--force");
  process.chdir(projectDir);
  mkdirSync(BUILD_DIR, { recursive: true });
  const make = (path: string, inputsHash: string, how: (out: string) => void) =>
    makeUnlessCurrent({ path, buildDir: BUILD_DIR, inputsHash, force }, how);

  const compiler = process.env.CC || "cc";
  const helperInputs = contentHash(["c", "scripts/build/compile-helper.ts"], compiler);
  make(HELPER, helperInputs, (out) => compileHelper(compiler, out));
  if (flags.has("--helper")) return;

  const runtimeInputs = contentHash(["package-lock.json", "scripts/build/closed-runtime.ts"], process.arch);
  make(RUNTIME, runtimeInputs, (out) => makeClosedRuntime(process.execPath, out));

  const version = { number: manifest.version, commit: commitId() };
  const binaryInputs = contentHash(
    ["src", HELPER, "package.json", "tsconfig.json", "build.ts", "scripts/build/compile-binary.ts"],
    runtimeInputs + version.commit,
  );
  make(BINARY, binaryInputs, (out) => compileBinary({ runtime: RUNTIME, helper: HELPER, version, out }));
});
