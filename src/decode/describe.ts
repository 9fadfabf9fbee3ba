// A raw event as a line for --debug: mask names plus unknown bits, pid, handles, names, before any cleverness
// is applied.
import { TYPE_BITS } from "../event.ts";
import * as abi from "../kernel/abi.ts";
import {
  DIR_AT,
  DIR_BYTES,
  type EventBatch,
  FSID_HIGH,
  FSID_LOW,
  MASK,
  NAME_AT,
  NAME_BYTES,
  NEW_DIR_AT,
  NEW_DIR_BYTES,
  NEW_NAME_AT,
  NEW_NAME_BYTES,
  OBJECT_AT,
  OBJECT_BYTES,
  PID,
} from "./fan.ts";

const NAMES: readonly (readonly [string, number])[] = [
  ...Object.entries(TYPE_BITS),
  ["RENAME", abi.FAN_RENAME],
  ["Q_OVERFLOW", abi.FAN_Q_OVERFLOW],
  ["ONDIR", abi.FAN_ONDIR],
];

/** One line for each event of a batch. */
export function describeEvents(batch: EventBatch, print: (line: string) => void): void {
  for (let i = 0; i < batch.count; i++) {
    const fsid = `${hex(batch.get(i, FSID_LOW))}:${hex(batch.get(i, FSID_HIGH))}`;
    const parts = [maskNames(batch.get(i, MASK)), `pid=${batch.get(i, PID)}`, `fsid=${fsid}`];
    addHandle(parts, "dir", batch, batch.get(i, DIR_AT), batch.get(i, DIR_BYTES));
    addName(parts, "name", batch, batch.get(i, NAME_AT), batch.get(i, NAME_BYTES));
    addHandle(parts, "new-dir", batch, batch.get(i, NEW_DIR_AT), batch.get(i, NEW_DIR_BYTES));
    addName(parts, "new-name", batch, batch.get(i, NEW_NAME_AT), batch.get(i, NEW_NAME_BYTES));
    addHandle(parts, "object", batch, batch.get(i, OBJECT_AT), batch.get(i, OBJECT_BYTES));
    print(parts.join(" "));
  }
}

/** "CREATE|ONDIR", with bits that have no name in hex behind. */
export function maskNames(mask: number): string {
  const names: string[] = [];
  let rest = mask >>> 0;
  for (const [name, bit] of NAMES) {
    if ((rest & bit) === 0) continue;
    names.push(name);
    rest = (rest & ~bit) >>> 0;
  }
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.join("|");
}

function addHandle(parts: string[], key: string, batch: EventBatch, at: number, length: number): void {
  if (at >= 0) parts.push(`${key}=${batch.bytes.toString("hex", at + 4, at + length)}`);
}

function addName(parts: string[], key: string, batch: EventBatch, at: number, length: number): void {
  // JSON quoting: a name may hold a newline or an escape sequence.
  if (at >= 0) parts.push(`${key}=${JSON.stringify(batch.bytes.toString("utf8", at, at + length))}`);
}

function hex(word: number): string {
  return (word >>> 0).toString(16);
}
