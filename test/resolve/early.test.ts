import { describe, expect, test } from "bun:test";
import { decodeFanEvents, EventBatch, NAME_AT, NAME_BYTES } from "../../src/decode/fan.ts";
import * as abi from "../../src/kernel/abi.ts";
import { EarlyEvents } from "../../src/resolve/early.ts";
import { at, event, from, inode, object, to } from "../decode/fan-bytes.ts";
import { anchor, filesystemWith, watch } from "./watches.ts";

/** "/w" of filesystemWith(), and directories that its tree doesn't know. */
const W = inode(3);
const [X, Y] = [inode(70), inode(71)];

const making = (directory: Uint8Array, name: string, made: Uint8Array) =>
  event(abi.FAN_CREATE | abi.FAN_ONDIR, 1, at(directory, name), object(made));
const used = (directory: Uint8Array, name: string) => event(abi.FAN_CLOSE_WRITE, 1, at(directory, name));

function batchOf(...events: readonly Uint8Array[]): EventBatch {
  const batch = new EventBatch(16384);
  for (const one of events) {
    const start = batch.usedBytes;
    batch.bytes.set(one, start);
    decodeFanEvents(batch, start, start + one.length);
  }
  return batch;
}

/** Names of the events at a batch's end, all in directories that aren't known, which are looked at again with the next. */
function lookedAtAgain(tail: readonly Uint8Array[], next: readonly Uint8Array[]): string[] {
  const { fs, node } = filesystemWith(["/w"]);
  anchor(fs, node("/w"), watch("/w"));
  const early = new EarlyEvents();
  const batch = batchOf(...tail);
  for (let i = 0; i < batch.count; i++) early.noteUnknown(batch, i);
  early.putCreated(batchOf(...next), () => fs);
  const held = early.take(() => fs);
  if (held === null) return [];
  return Array.from({ length: held.count }, (_, i) => {
    const nameAt = held.get(i, NAME_AT);
    return held.bytes.toString("latin1", nameAt, nameAt + held.get(i, NAME_BYTES));
  });
}

describe("EarlyEvents", () => {
  test("keep what happened in a directory whose CREATE comes with the next batch", () => {
    expect(lookedAtAgain([used(X, "one"), used(Y, "other")], [making(W, "x", X)])).toEqual(["one"]);
  });

  test("and in one that was made in such a directory", () => {
    const tail = [making(X, "y", Y), used(Y, "deep")];
    expect(lookedAtAgain(tail, [making(W, "x", X)])).toEqual(["y", "deep"]);
  });

  test("not what happened in a directory that is moved in by the next batch: it happened outside", () => {
    const movedIn = event(abi.FAN_RENAME | abi.FAN_ONDIR, 1, from(inode(90), "x"), to(W, "x"), object(X));
    expect(lookedAtAgain([used(X, "before"), making(X, "y", Y), used(Y, "deep")], [movedIn])).toEqual([]);
  });

  test("are given out once", () => {
    const { fs } = filesystemWith(["/w"]);
    const early = new EarlyEvents();
    early.noteUnknown(batchOf(used(X, "one")), 0);
    early.putCreated(batchOf(), () => fs);
    expect(early.take(() => fs)).toBeNull();
    early.putCreated(batchOf(making(W, "x", X)), () => fs);
    expect(early.take(() => fs)).toBeNull();
  });
});
