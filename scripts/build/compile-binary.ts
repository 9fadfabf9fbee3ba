// src/main.ts and everything it imports → one executable on the closed runtime. Nothing of it may read the directory
// it is started in or a variable that could run code; that is tried on the result before it replaces ./fsmon.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { Obstacle } from "../setup/step.mjs";

export interface BinaryParts {
  /** The closed runtime. */
  runtime: string;
  /** The compiled helper, which src/kernel embeds. */
  helper: string;
  version: { number: string; commit: string };
  out: string;
  /** For another processor: the folder with the sources beside its helper, and Bun's name for it. The result can't be tried here. */
  foreign?: { dir: string; target: string };
}

const ENTRY = "src/main.ts";

const FLAGS = [
  "--compile",
  // Without it NODE_ENV is baked in as "development".
  "--production",
  "--minify",
  // Maps the lines of a stack trace to the TypeScript.
  "--sourcemap",
  // Each command loads only its own part: a third off the start of the short ones.
  "--splitting",
  // Half the start time; ESM because bytecode's default, CommonJS, has no top-level await.
  ..."--bytecode --format=esm".split(" "),
  // A bunfig.toml in the current directory would run code as root; .env and the others would change what we do.
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  // A third of the peak memory under load for a tenth of the speed.
  "--compile-exec-argv=--smol",
  // Compiles later: 3 MB less of compiled code and its data after a storm, for no measurable time.
  "--compile-jit-policy=4",
  // An import whose name is computed would be looked up in the current directory.
  "--reject-unresolved",
];

export function compileBinary({ runtime, helper, version, out, foreign }: BinaryParts): void {
  const dir = foreign?.dir ?? ".";
  if (!existsSync(join(dir, ENTRY))) throw new Obstacle(`Cannot build fsmon: "${ENTRY}" is missing`);
  const defines = {
    FSMON_VERSION: version.number,
    FSMON_COMMIT: version.commit,
    FSMON_GLIBC: glibcNeeded(readFileSync(helper)),
  };
  const args = [
    ...["build", ...FLAGS, `--compile-executable-path=${resolve(runtime)}`],
    ...Object.entries(defines).flatMap(([name, value]) => ["--define", `${name}=${JSON.stringify(value)}`]),
    ...(foreign === undefined ? [] : [`--target=${foreign.target}`]),
    ...[ENTRY, "--outfile", resolve(out)],
  ];
  const result = spawnSync(process.execPath, args, { encoding: "utf8", cwd: dir });
  if (result.status !== 0 || !existsSync(out)) {
    console.error((result.stdout + result.stderr).trimEnd());
    throw new Obstacle("bun build refused the sources");
  }
  if (foreign === undefined) proveDoorsClosed(out, version.number);
  console.error(
    `Built ${foreign === undefined ? "./fsmon" : foreign.target} ${version.number} (${version.commit}), which runs on glibc ${defines.FSMON_GLIBC} or newer`,
  );
}

/**
 * The newest glibc whose symbols a shared object names: it can't be loaded by an older one.
 *
 * The version names lie in the object as plain text; any other text that looks like one could only ask for too much.
 */
export function glibcNeeded(object: Buffer): string {
  let newest = 0;
  for (const [, minor] of object.toString("latin1").matchAll(/\0GLIBC_2\.(\d+)(?=[.\0])/g)) {
    newest = Math.max(newest, Number(minor));
  }
  return `2.${newest}`;
}

/** Starts the new binary with every known back door held open: it has to answer like fsmon, not like Bun. */
function proveDoorsClosed(binary: string, version: string): void {
  const env = {
    BUN_OPTIONS: "--preload=/nonexistent/preload.js",
    BUN_BE_BUN: "1",
    BUN_INSPECT: "127.0.0.1:1/",
    BUN_JSC_noSuchOption: "1",
  };
  const result = spawnSync(realpathSync(binary), ["--version"], {
    encoding: "utf8",
    env,
    cwd: "/",
    timeout: 30_000,
  });
  if (result.status === 0 && result.stderr === "" && result.stdout.includes(version)) return;
  console.error((result.stdout + result.stderr).trimEnd());
  throw new Obstacle(
    `The built fsmon does not answer "--version" with its own version ${version} under hostile variables`,
    "its answer is above; scripts/build/closed-runtime.ts closes the runtime's back doors",
  );
}
