// The one place where the control socket's text meets the TOML library: bounded parsing, and the version key first.

import { parse, stringify, TomlError } from "smol-toml";
import { FieldError, Fields } from "./fields.ts";
import { FramingError } from "./framing.ts";
import { PROTOCOL_VERSION } from "./protocol.ts";

/** Replies nest two levels (a list of tables with lists in them); the rest is for hostile text to run into. */
const DEPTH_MAX = 8;

export function writeToml(table: Record<string, unknown>): string {
  return stringify({ version: PROTOCOL_VERSION, ...table });
}

/**
 * Parses a message and checks its version.
 *
 * @throws {FieldError} when the text is no TOML or speaks another version
 */
export function readToml(text: string): Fields {
  let fields: Fields;
  try {
    fields = new Fields(parse(text, { maxDepth: DEPTH_MAX }));
  } catch (error) {
    if (error instanceof FieldError) throw error;
    throw new FieldError(
      tomlMessage(error),
      `a TOML document that begins with version = ${PROTOCOL_VERSION}`,
    );
  }
  const version = fields.count("version");
  if (version !== PROTOCOL_VERSION) {
    throw new FieldError(`Protocol version ${version} is not spoken here`, `version = ${PROTOCOL_VERSION}`);
  }
  return fields;
}

/** The parser's messages go on with a picture of the line; the first line is enough. */
function tomlMessage(error: unknown): string {
  if (error instanceof TomlError) {
    const sentence = (error.message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "");
    return `The message is not valid TOML (line ${error.line}, column ${error.column}: ${sentence})`;
  }
  return "The message is not valid TOML";
}

/** The sentence and the hint for whatever went wrong while a message was read. */
export function explain(error: unknown): { message: string; hint: string | null } {
  if (error instanceof FieldError) return { message: error.message, hint: `accepted: ${error.accepted}` };
  if (error instanceof FramingError) return { message: error.message, hint: null };
  return { message: "The message could not be read", hint: null };
}
