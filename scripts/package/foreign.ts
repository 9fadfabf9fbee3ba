// fsmon for the processor that this machine doesn't have: the helper by Debian's cross compiler, the runtime from the registry, by the
// version and the checksum that package-lock.json pins. Nothing foreign is executed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { makeClosedRuntime } from "../build/closed-runtime.ts";
import { commitId } from "../build/commit.ts";
import { compileBinary } from "../build/compile-binary.ts";
import { compileHelper } from "../build/compile-helper.ts";
import { contentHash, makeUnlessCurrent } from "../build/current.ts";
import { Obstacle } from "../setup/step.mjs";
import type { Architecture } from "./architecture.ts";

/** Returns the binary's path, below build/. */
export function buildForeign(architecture: Architecture): string {
  const buildDir = `build/${architecture.node}`;
  // The sources import the helper by its place beside them, so they get one of their own.
  mkdirSync(join(buildDir, "build"), { recursive: true });
  const helper = join(buildDir, "build/fanhelp.so");
  checkCompiler(architecture);
  const make = (path: string, inputsHash: string, how: (out: string) => void) =>
    makeUnlessCurrent({ path, buildDir, inputsHash, force: false }, how);
  const helperInputs = contentHash(["c", "scripts/build/compile-helper.ts"], architecture.compiler);
  make(helper, helperInputs, (out) => compileHelper(architecture.compiler, out));

  const runtime = join(buildDir, "runtime");
  const runtimeInputs = contentHash(
    ["package-lock.json", "scripts/build/closed-runtime.ts"],
    architecture.runtime,
  );
  make(runtime, runtimeInputs, (out) => makeClosedRuntime(fetchRuntime(architecture, buildDir), out));

  const version = { number: manifest.version, commit: commitId() };
  const binaryInputs = contentHash(
    ["src", helper, "package.json", "tsconfig.json", "scripts/build/compile-binary.ts"],
    runtimeInputs + version.commit,
  );
  const binary = join(buildDir, "fsmon");
  make(binary, binaryInputs, (out) => {
    rmSync(join(buildDir, "src"), { recursive: true, force: true });
    for (const name of ["src", "package.json", "tsconfig.json"])
      cpSync(name, join(buildDir, name), { recursive: true });
    compileBinary({
      runtime,
      helper,
      version,
      out,
      foreign: { dir: buildDir, target: architecture.bunTarget },
    });
  });
  return resolve(binary);
}

function checkCompiler({ compiler, compilerPackages, name }: Architecture): void {
  if (spawnSync(compiler, ["--version"], { stdio: "ignore" }).status === 0) return;
  throw new Obstacle(
    `There is no C compiler for ${name}: "${compiler}" was not found`,
    `apt-get install ${compilerPackages}, or package for this machine's processor only: npm run package -- --native`,
  );
}

/** The runtime's file; what is there from an earlier time is taken if its checksum is right. */
function fetchRuntime({ runtime, name }: Architecture, buildDir: string): string {
  const { version, integrity } = pinned(runtime);
  const archive = join(buildDir, "runtime.tgz");
  if (integrityOf(archive) !== integrity) download(`${runtime}@${version}`, archive, buildDir, name);
  const found = integrityOf(archive);
  if (found !== integrity) {
    rmSync(archive, { force: true });
    throw new Obstacle(
      `The runtime "${runtime}@${version}" is not the one that package-lock.json pins`,
      `pinned: ${integrity}; downloaded: ${found}`,
    );
  }
  const untarred = spawnSync("tar", ["-xzf", archive, "-C", buildDir, "package/bin/bun"], {
    encoding: "utf8",
  });
  if (untarred.status !== 0) throw new Obstacle(`Cannot unpack "${archive}": ${untarred.stderr.trim()}`);
  return join(buildDir, "package/bin/bun");
}

function download(what: string, archive: string, buildDir: string, name: string): void {
  const args = ["pack", what, "--pack-destination", buildDir, "--silent"];
  const packed = spawnSync("npm", args, { encoding: "utf8" });
  const file = packed.stdout?.trim().split("\n").at(-1) ?? "";
  if (packed.status !== 0 || file === "") {
    throw new Obstacle(
      `Cannot get the runtime for ${name} ("${what}") from the registry: ${packed.stderr?.trim().split("\n")[0]}`,
      "try again where there is a network, or package for this machine's processor only: npm run package -- --native",
    );
  }
  renameSync(join(buildDir, file), archive);
}

function pinned(name: string): { version: string; integrity: string } {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
    packages: Record<string, { version: string; integrity?: string }>;
  };
  const entry = lock.packages[`node_modules/${name}`];
  if (entry?.integrity === undefined)
    throw new Obstacle(`package-lock.json doesn't pin "${name}" by a checksum`);
  return { version: entry.version, integrity: entry.integrity };
}

function integrityOf(file: string): string | null {
  try {
    return `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
  } catch {
    return null;
  }
}
