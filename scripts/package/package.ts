// ./fsmon and what is built for the other processor → dist/: a binary, a .deb and a tarball for each, and SHA256SUMS. The same sources
// give the same bytes: owners, times and orders are fixed.
//
//   bun scripts/package/package.ts [--native] [--out DIR]     --native: this machine's processor only
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { main, projectDir } from "../setup/step.mjs";
import { ARCHITECTURES, type Architecture } from "./architecture.ts";
import { makeDeb } from "./deb.ts";
import { checkBinary } from "./elf.ts";
import { buildForeign } from "./foreign.ts";
import { packTar } from "./tar.ts";
import { installTree } from "./tree.ts";

await main(() => {
  const args = process.argv.slice(2);
  const native = args.includes("--native");
  const outAt = args.indexOf("--out");
  process.chdir(projectDir);
  const outDir = resolve(outAt < 0 ? "dist" : (args[outAt + 1] ?? "dist"));
  mkdirSync(outDir, { recursive: true });
  const work = mkdtempSync(resolve("build/.packaging-"));
  try {
    const chosen = ARCHITECTURES.filter((one) => !native || one.node === process.arch);
    writeChecksums(
      outDir,
      chosen.flatMap((architecture) => packageFor(architecture, work, outDir)),
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});

function packageFor(architecture: Architecture, work: string, outDir: string): string[] {
  const { version } = manifest;
  const { node, name, debian } = architecture;
  const binary = node === process.arch ? resolve("fsmon") : buildForeign(architecture);
  const helper =
    node === process.arch ? resolve("build/fanhelp.so") : resolve(`build/${node}/build/fanhelp.so`);
  const glibc = checkBinary(binary, helper, architecture);
  const title = `fsmon-${version}-linux-${name}`;
  copyFileSync(binary, join(outDir, title));

  const debTree = join(work, `deb-${node}`);
  installTree(binary, debTree, "usr", true);
  const deb = `fsmon_${version}_${debian}.deb`;
  makeDeb(debTree, { version, debian, glibc }, join(outDir, deb));

  const tarRoot = join(work, `tar-${node}`);
  installTree(binary, join(tarRoot, title), "", false);
  writeFileSync(join(outDir, `${title}.tar.gz`), packTar(tarRoot, [title]));
  console.error(`Packaged fsmon ${version} for ${name}: glibc ${glibc} or newer`);
  return [title, `${title}.tar.gz`, deb];
}

/** Of what was made now: older packages may lie beside it. */
function writeChecksums(outDir: string, names: readonly string[]): void {
  const lines = names.toSorted().map((name) => {
    const hash = createHash("sha256")
      .update(readFileSync(join(outDir, name)))
      .digest("hex");
    return `${hash}  ${name}\n`;
  });
  writeFileSync(join(outDir, "SHA256SUMS"), lines.join(""));
}
