// The pinned packages: installed when they are missing or differ from package-lock.json, otherwise left alone.
// Leaves the path of the Bun that everything else runs on. Downloads nothing when nothing changed.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { checkCompiler, checkMachine } from "./machine.mjs";
import { Obstacle, projectDir, run } from "./step.mjs";

const modulesDir = join(projectDir, "node_modules");

/**
 * Makes the project ready to build.
 *
 * @param {string} [glibcMin] what the caller needs where that is more than the build does
 * @returns {string} the path of Bun
 */
export function setUp(glibcMin) {
  checkMachine(glibcMin);
  checkCompiler();
  if (
    differsFromLock(lockedPackages("package-lock.json"), lockedPackages("node_modules/.package-lock.json"))
  ) {
    console.error("Installing the packages that package-lock.json pins");
    const { exitCode, output } = run("npm", ["ci", "--no-audit", "--no-fund"], {
      asTreeOwner: true,
      quiet: true,
      hint: "npm comes with Node.js; on Debian and Ubuntu it is a package of its own, npm",
    });
    if (exitCode !== 0) {
      console.error(output.trimEnd());
      throw new Obstacle(
        "npm ci could not install the packages",
        "its reason is above; without a network, run it where there is one",
      );
    }
  }
  const bun = findBun();
  if (bun === null)
    throw new Obstacle("Bun is not among the installed packages", "remove node_modules and start again");
  return bun;
}

/** @typedef {{ version: string, optional?: boolean }} Locked */

/**
 * @param {string} file
 * @returns {Record<string, Locked> | null} null when there is no such file
 */
function lockedPackages(file) {
  const path = join(projectDir, file);
  if (!existsSync(path)) return null;
  const { packages } = JSON.parse(readFileSync(path, "utf8"));
  delete packages[""];
  return packages;
}

/**
 * Compares what is wanted with what npm last wrote down as installed. Optional packages are for other platforms; the
 * one that matters here is Bun itself, and findBun() looks for its file.
 *
 * @param {Record<string, Locked> | null} wanted
 * @param {Record<string, Locked> | null} installed
 */
export function differsFromLock(wanted, installed) {
  if (wanted === null)
    throw new Obstacle('The file "package-lock.json" is missing', "git checkout package-lock.json");
  if (installed === null) return true;
  for (const [place, { version, optional }] of Object.entries(wanted)) {
    const found = installed[place];
    if (found === undefined ? !optional : found.version !== version) return true;
  }
  return Object.keys(installed).some((place) => wanted[place] === undefined);
}

/**
 * bun's own install script moves the program from its platform package to bun/bin/bun.exe. Where such scripts are
 * forbidden (`ignore-scripts`), a text of a few hundred bytes lies there instead and the program stays where it was.
 *
 * @returns {string | null}
 */
function findBun() {
  const arch = process.arch === "arm64" ? "aarch64" : "x64";
  const candidates = ["bun/bin/bun.exe", `@oven/bun-linux-${arch}/bin/bun`];
  for (const candidate of candidates) {
    const path = join(modulesDir, candidate);
    if (existsSync(path) && statSync(path).size > 1_000_000) return path;
  }
  return null;
}
