// What is in force: flags over config.toml over the built-in defaults, and where each value came from.
// The owner, the environment and typed flags enter; one frozen Config leaves. Reads one file and never writes it.
import { parse, TomlError } from "smol-toml";
import { Failure } from "../failure.ts";
import { nearest } from "../filter/nearest.ts";
import { type ConfigField, type ConfigValues, FIELDS, KEYS, SECTIONS } from "./keys.ts";
import { locateKey } from "./locate.ts";
import { readOwnedFile } from "./owned-file.ts";
import type { Environment, Owner } from "./owner.ts";
import { defaultPlaces, type Places } from "./places.ts";

/** "environment": the default place, below a directory that an XDG_* variable names. */
export type ValueSource = "flag" | "config" | "environment" | "default";

export interface Config extends ConfigValues {
  /** Where the config is or would be. */
  readonly configFile: string;
  readonly configFound: boolean;
  readonly sources: Readonly<Record<ConfigField, ValueSource>>;
}

/** Flags that beat the config; places in them are absolute already. */
export type ConfigFlags = { readonly [Field in ConfigField]?: ConfigValues[Field] | undefined };

export interface ConfigOptions {
  readonly owner: Owner;
  readonly env: Environment;
  readonly flags?: ConfigFlags | undefined;
  /** defaultPlaces(owner, env) unless given. */
  readonly places?: Places | undefined;
}

type Tables = Readonly<Record<string, unknown>>;

// The default config has some 2 KB. A hostile or mistaken file must not fill the memory.
const MAX_CONFIG_BYTES = 2 ** 20;

/** Characters of a value that isn't accepted. */
const SHOWN_MAX = 100;

/**
 * A missing config means the defaults; so does an empty one.
 *
 * @throws {Failure} with file, line and column for an invalid config, an unknown key or a value that is not accepted
 */
export function loadConfig({ owner, env, flags = {}, places }: ConfigOptions): Config {
  const from = places ?? defaultPlaces(owner, env);
  const withoutEnvironment = defaultPlaces(owner, {});
  // A link is followed (dotfile managers use them): the owner's identity opens it, so it can point to nothing new.
  const bytes = readOwnedFile(
    { what: "config file", file: from.configFile, owner },
    { maxBytes: MAX_CONFIG_BYTES, followLink: true },
  );
  const text = bytes === null ? "" : decoded(bytes, from.configFile);
  const tables = parsed(text, from.configFile);
  const problems = new Problems(text, from.configFile);
  checkKeys(tables, problems);

  const sources: Partial<Record<ConfigField, ValueSource>> = {};
  function inForce<Field extends ConfigField>(field: Field): ConfigValues[Field] {
    // Read even when a flag beats it: a broken config is reported whatever the flags.
    const configured = readKey(field, tables, owner, problems);
    const flag: ConfigValues[Field] | undefined = flags[field];
    const standard = KEYS[field].standard(from);
    // Places are text; nothing else comes from the environment.
    const byEnvironment =
      typeof standard === "string" && standard !== KEYS[field].standard(withoutEnvironment);
    sources[field] = byEnvironment ? "environment" : "default";
    if (configured !== undefined) sources[field] = "config";
    if (flag === undefined) return configured ?? standard;
    sources[field] = "flag";
    return flag;
  }
  const values: ConfigValues = {
    managedFile: inForce("managedFile"),
    logDir: inForce("logDir"),
    keepDays: inForce("keepDays"),
    maxSizeBytes: inForce("maxSizeBytes"),
    maxTotalBytes: inForce("maxTotalBytes"),
    minFreeBytes: inForce("minFreeBytes"),
    segmentSizeBytes: inForce("segmentSizeBytes"),
    details: inForce("details"),
    args: inForce("args"),
    socketPath: inForce("socketPath"),
  };
  return Object.freeze({
    ...values,
    configFile: from.configFile,
    configFound: bytes !== null,
    sources: Object.freeze(sources as Record<ConfigField, ValueSource>),
  });
}

function decoded(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const { line, column } = placeOfBrokenText(bytes);
    throw new Failure(`Cannot use the config file ${file}:${line}:${column}: not UTF-8`, "save it as UTF-8");
  }
}

/** Where the first bytes stand that are no UTF-8, in a text that holds some. */
function placeOfBrokenText(bytes: Buffer): { line: number; column: number } {
  let offset = 0;
  // Lossy decoding puts U+FFFD for what is broken: the first character whose bytes aren't those of the file.
  for (const character of new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)) {
    const intact = Buffer.from(character);
    if (!bytes.subarray(offset, offset + intact.length).equals(intact)) break;
    offset += intact.length;
  }
  const lines = new TextDecoder().decode(bytes.subarray(0, offset)).split("\n");
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

function parsed(text: string, file: string): Tables {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The first line of the message is the reason, the others show the place.
    const reason = (error.message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "");
    throw new Failure(
      `Cannot use the config file ${file}:${error.line}:${error.column}: ${reason}`,
      "mend that line; fsmon generate -f would replace the whole file by the default one",
    );
  }
}

/** Makes the failures, with the place in the file looked up only now. */
class Problems {
  private readonly text: string;
  private readonly file: string;

  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
  }

  atKey(path: readonly string[], reason: string, hint: string): Failure {
    const where = locateKey(this.text, path);
    return this.failure(where === null ? "" : `:${where.line}:${where.column}`, reason, hint);
  }

  atValue(path: readonly string[], reason: string, hint: string): Failure {
    const where = locateKey(this.text, path);
    return this.failure(where === null ? "" : `:${where.line}:${where.valueColumn}`, reason, hint);
  }

  private failure(place: string, reason: string, hint: string): Failure {
    return new Failure(`Cannot use the config file ${this.file}${place}: ${reason}`, hint);
  }
}

function checkKeys(tables: Tables, problems: Problems): void {
  const sections = Object.keys(SECTIONS);
  for (const [section, table] of Object.entries(tables)) {
    if (!sections.includes(section)) throw unknownAtTop(section, sections, problems);
    if (!isTable(table)) {
      throw problems.atValue([section], `"${section}" is ${shown(table)}, not a table`, `write [${section}]`);
    }
    const known = FIELDS.filter((field) => KEYS[field].section === section).map((field) => KEYS[field].key);
    for (const key of Object.keys(table)) {
      if (known.includes(key)) continue;
      throw problems.atKey(
        [section, key],
        `unknown key "${key}" in [${section}]`,
        `${suggestion(nearest(key, known))}known there: ${known.join(", ")}`,
      );
    }
  }
}

function unknownAtTop(name: string, sections: readonly string[], problems: Problems): Failure {
  const elsewhere = FIELDS.find((field) => KEYS[field].key === name);
  const belongs = elsewhere === undefined ? null : `"${name}" belongs below [${KEYS[elsewhere].section}]`;
  const hint = belongs ?? `${suggestion(nearest(name, sections))}known sections: ${sections.join(", ")}`;
  return problems.atKey([name], `unknown key "${name}"`, hint);
}

function suggestion(word: string | null): string {
  return word === null ? "" : `did you mean ${word}? `;
}

function readKey<Field extends ConfigField>(
  field: Field,
  tables: Tables,
  owner: Owner,
  problems: Problems,
): ConfigValues[Field] | undefined {
  const key = KEYS[field];
  const table = tables[key.section];
  if (!isTable(table) || !Object.hasOwn(table, key.key)) return undefined;
  const value = key.read(table[key.key], owner);
  if (value === undefined) {
    const path = [key.section, key.key];
    throw problems.atValue(path, `${key.key} is ${shown(table[key.key])}`, `accepted: ${key.accepted}`);
  }
  return value;
}

function isTable(value: unknown): value is Tables {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function cut(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function shown(value: unknown): string {
  if (typeof value === "string") return `"${cut(value)}"`;
  if (Array.isArray(value))
    return value.some(isTable) ? "a list" : `the list [${cut(value.map(shown).join(", "))}]`;
  if (value instanceof Date) return "a date";
  return isTable(value) ? "a table" : String(value);
}
