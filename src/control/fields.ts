// Reads the fields of one TOML table and checks each: its presence, its type, its range, and that nothing is left over.
// In comes what the TOML parser made of foreign text; out come typed values. It never trusts a value's shape.

import { nearest } from "../filter/nearest.ts";

/** A message whose text is TOML but whose fields are wrong. */
export class FieldError extends Error {
  /** What would be accepted instead. */
  readonly accepted: string;

  constructor(message: string, accepted: string) {
    super(message);
    this.name = "FieldError";
    this.accepted = accepted;
  }
}

/** A path has at most 4095 bytes and a list of patterns a few hundred; longer text is no honest one. */
const STRING_LENGTH_MAX = 16_384;

export class Fields {
  private readonly entries: Readonly<Record<string, unknown>>;
  private readonly known = new Set<string>();

  /** @param table an object as the TOML parser returns it (null prototype, own keys only) */
  constructor(table: unknown, what = "message") {
    if (!isTable(table)) throw new FieldError(`The ${what} is ${describe(table)}`, "a table");
    this.entries = table;
  }

  has(key: string): boolean {
    this.known.add(key);
    return Object.hasOwn(this.entries, key);
  }

  string(key: string): string {
    return checkString(key, this.take(key, "a string"));
  }

  /** A string, or null where the key is left out. */
  optionalString(key: string): string | null {
    return this.has(key) ? this.string(key) : null;
  }

  /** One of `accepted`, exactly. */
  choice<T extends string>(key: string, accepted: readonly T[]): T {
    const text = this.string(key);
    const found = accepted.find((one) => one === text);
    if (found === undefined) {
      throw new FieldError(`The value "${text}" of "${key}" is unknown`, accepted.join(", "));
    }
    return found;
  }

  boolean(key: string): boolean {
    const value = this.take(key, "true or false");
    if (typeof value !== "boolean") throw wrongType(key, value, "true or false");
    return value;
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(key: string): number {
    const value = this.take(key, "a whole number from 0");
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw wrongType(key, value, "a whole number from 0");
    }
    return value;
  }

  /** A whole number, or null where the key is left out. */
  optionalCount(key: string): number | null {
    return this.has(key) ? this.count(key) : null;
  }

  strings(key: string): string[] {
    return this.list(key, "a list of strings").map((value) => checkString(key, value));
  }

  tables(key: string): Fields[] {
    return this.list(key, "a list of tables").map((value) => new Fields(value, `"${key}" entry`));
  }

  table(key: string): Fields {
    return new Fields(this.take(key, "a table"), `"${key}" entry`);
  }

  keys(): string[] {
    return Object.keys(this.entries);
  }

  /** Call after the last field: a key that nobody asked for is an error, not a silent no. */
  end(): void {
    for (const key of this.keys()) {
      if (this.known.has(key)) continue;
      const known = [...this.known];
      const close = nearest(key, known);
      throw new FieldError(
        `The key "${key}" is unknown${close === null ? "" : `; did you mean "${close}"?`}`,
        known.join(", "),
      );
    }
  }

  private take(key: string, wanted: string): unknown {
    if (!this.has(key)) throw new FieldError(`The key "${key}" is missing`, `${key} = ${wanted}`);
    return this.entries[key];
  }

  private list(key: string, wanted: string): readonly unknown[] {
    const value = this.take(key, wanted);
    if (!Array.isArray(value)) throw wrongType(key, value, wanted);
    return value;
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function checkString(key: string, value: unknown): string {
  if (typeof value !== "string") throw wrongType(key, value, "a string");
  if (value.length > STRING_LENGTH_MAX) {
    const wanted = `at most ${STRING_LENGTH_MAX} characters`;
    throw new FieldError(`The value of "${key}" has ${value.length} characters`, wanted);
  }
  // No path, pattern or program name can hold a NUL, and C would cut the string there.
  if (value.includes("\0")) throw new FieldError(`The value of "${key}" holds a NUL`, "text without NUL");
  return value;
}

function wrongType(key: string, value: unknown, wanted: string): FieldError {
  return new FieldError(`The value of "${key}" is ${describe(value)}`, wanted);
}

function describe(value: unknown): string {
  if (typeof value === "string") return "a string";
  if (typeof value === "number" || typeof value === "bigint") return `the number ${value}`;
  if (typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  return typeof value === "object" && value !== null ? "a table" : "something else";
}
