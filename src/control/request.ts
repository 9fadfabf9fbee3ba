// Requests as TOML text: encode beside decode, the same keys in the same order.
// Decoding takes foreign text and accepts exactly what protocol.ts describes; it does nothing else.

import type { ManagedPath } from "../event.ts";
import { entryTable, readEntry, readPath } from "./entry.ts";
import { FieldError, type Fields } from "./fields.ts";
import { frame } from "./framing.ts";
import { COMMANDS, type Request } from "./protocol.ts";
import { readToml, writeToml } from "./toml.ts";

/** The handler tries each regular expression, which takes milliseconds during which no event is read. */
const PATTERN_LISTS_MAX = 64;

export function encodeRequest(request: Request): Uint8Array {
  return frame(writeToml({ command: request.command, ...requestTable(request) }));
}

/**
 * Patterns are counted here and read by the handler.
 *
 * @throws {FieldError} naming the first wrong thing and what is accepted
 */
export function decodeRequest(text: string): Request {
  const fields = readToml(text);
  const command = fields.choice("command", COMMANDS);
  const request = readRequest(command, fields);
  fields.end();
  return request;
}

function requestTable(request: Request): Record<string, unknown> {
  switch (request.command) {
    case "add":
      return withoutSurplus(entryTable(request.entry));
    case "remove":
      return { path: request.path };
    case "seal":
      return { hash: request.hash };
    default:
      return {};
  }
}

/** All types are asked for by one key alone. */
function withoutSurplus({ types, ...table }: Record<string, unknown>): Record<string, unknown> {
  return table.all_events === true ? table : { types, ...table };
}

function readRequest(command: Request["command"], fields: Fields): Request {
  switch (command) {
    case "add":
      return { command, entry: checkedEntry(readEntry(fields), fields) };
    case "remove":
      return { command, path: readPath(fields) };
    case "seal":
      return { command, hash: readHash(fields) };
    default:
      return { command };
  }
}

function checkedEntry(entry: ManagedPath, fields: Fields): ManagedPath {
  if (entry.allEvents && fields.has("types"))
    throw new FieldError('The keys "types" and "all_events" were given together', "one of the two");
  const { exclude, excludeCmd, onlyCmd } = entry;
  const count = exclude.length + excludeCmd.length + onlyCmd.length;
  if (count > PATTERN_LISTS_MAX) {
    const accepted = `at most ${PATTERN_LISTS_MAX}; one may hold several globs, separated by commas`;
    throw new FieldError(`The entry has ${count} patterns`, accepted);
  }
  return entry;
}

/** It becomes part of a file name, so nothing but the 16 digits may pass. */
function readHash(fields: Fields): string {
  const hash = fields.string("hash");
  if (!/^[0-9a-f]{16}$/.test(hash))
    throw new FieldError(`The hash "${hash}" is malformed`, "16 digits 0-9, a-f");
  return hash;
}
