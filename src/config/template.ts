// The config that `fsmon generate` and the daemon's first start write: every key with its comment and its default, made
// from the table in keys.ts. A text leaves, and what puts it into its place; an existing config is never overwritten
// unless that was asked for.
import { linkSync, lstatSync, realpathSync, renameSync } from "node:fs";
import { errorCode, Failure } from "../failure.ts";
import { asOwner } from "../kernel/identity.ts";
import { type ConfigField, FIELDS, KEYS, SECTIONS } from "./keys.ts";
import { makeDirectoryFor, notAFile, type OwnedFile, removeIfThere, writeOwnedFile } from "./owned-file.ts";
import type { Owner } from "./owner.ts";
import type { Places } from "./places.ts";

/** The text of a config that means exactly the defaults. */
export function configTemplate(places: Places, owner: Owner): string {
  const sections = Object.entries(SECTIONS).map(([section, comment]) => {
    const keys = FIELDS.filter((field) => KEYS[field].section === section);
    return [`# ${comment}`, `[${section}]`, ...keys.map((field) => keyText(field, places, owner))].join("\n");
  });
  const opening = [
    "# fsmon's configuration. A flag on the command line beats what stands here.",
    "# ~ is the home directory, <UID> the user's number. The daemon reads it when it starts, and again on SIGHUP.",
  ].join("\n");
  return `${[opening, ...sections].join("\n\n")}\n`;
}

function keyText<Field extends ConfigField>(field: Field, places: Places, owner: Owner): string {
  const key = KEYS[field];
  const value = key.write(key.standard(places), owner);
  const line = value === null ? `# ${key.key} = ${key.example ?? ""}` : `${key.key} = ${value}`;
  return [...key.comment.map((text) => `# ${text}`), line].join("\n");
}

/**
 * Writes the default config as the owner, mode 0600, directories 0700. A link in its place (dotfile managers) stays a link.
 *
 * @returns the file that was written
 * @throws {Failure} when one exists and `force` isn't set, or it can't be written
 */
export function writeDefaultConfig(places: Places, owner: Owner, { force }: { force: boolean }): string {
  const target: OwnedFile = { what: "config file", file: places.configFile, owner };
  makeDirectoryFor(target);
  const text = configTemplate(places, owner);
  if (!force) {
    writeOwnedFile(target, text, placeNew);
    return target.file;
  }
  const file = asOwner(owner, () => realTarget(target.file));
  writeOwnedFile({ ...target, file }, text, renameSync);
  return file;
}

/**
 * For the daemon's first start: writes the config unless something is there already.
 *
 * @returns whether it was written
 * @throws {Failure} when it can't be written
 */
export function createMissingConfig(places: Places, owner: Owner): boolean {
  if (asOwner(owner, () => exists(places.configFile))) return false;
  writeDefaultConfig(places, owner, { force: false });
  return true;
}

/** link(2) and not rename(2): it fails when something is there, also when that came a moment ago. */
function placeNew(temporary: string, file: string): void {
  try {
    linkSync(temporary, file);
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw alreadyThere(file);
    // vfat, exfat and some FUSE filesystems have no hard links.
    if (exists(file)) throw alreadyThere(file);
    renameSync(temporary, file);
    return;
  }
  removeIfThere(temporary);
}

function alreadyThere(file: string): Failure {
  return new Failure(
    `Cannot write the config file "${file}": it exists`,
    "fsmon generate -f replaces it by the default one",
  );
}

function exists(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

function realTarget(file: string): string {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  const real = stats?.isSymbolicLink() === true ? realpathSync(file) : file;
  const realStats = real === file ? stats : lstatSync(real, { throwIfNoEntry: false });
  if (realStats !== undefined && !realStats.isFile()) {
    throw notAFile(`Cannot write the config file "${file}"`, realStats);
  }
  return real;
}
