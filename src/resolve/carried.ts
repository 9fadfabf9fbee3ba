// Managed paths that a directory above them takes along: it is renamed, or is a subvolume, made with contents or deleted. No event
// names them, so their lines are made here, as if each had come or gone by itself. Whether they are there is the listener's to say.
import * as fan from "../decode/fan.ts";
import * as abi from "../kernel/abi.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import type { Occurrence, Occurrences } from "./occurrence.ts";
import type { StructureListener } from "./structure.ts";
import { type Expectation, ownEntry, sameBytes, type Watch } from "./watch.ts";

/** How a directory above managed paths came or went. */
export interface Ride {
  /** What is told of the managed paths. */
  types: number;
  pid: number;
  /** The directory's path at the other end of its renaming; null where it isn't known, or there is none. */
  otherEnd: Uint8Array | null;
  /** Gets what was told. */
  told: Occurrence[];
}

/** A directory above a managed path came, and this is how. */
export interface Arrival {
  fs: Filesystem;
  pathBytes: number;
  ride: Ride;
}

/** By an event of that directory which tells one end only; null where what it brings along is found, and told as such. */
export function rideOf(fs: Filesystem, batch: fan.EventBatch, i: number): Ride | null {
  const mask = batch.get(i, fan.MASK);
  const moved = mask & (abi.FAN_MOVED_FROM | abi.FAN_MOVED_TO);
  if (moved === 0 && fs.inodeMarks !== null) return null;
  const types = moved === 0 ? mask & (abi.FAN_CREATE | abi.FAN_DELETE) : moved | abi.FAN_MOVE_SELF;
  return { types, pid: batch.get(i, fan.PID), otherEnd: null, told: [] };
}

/** @param pathBytes length of the directory's path, as far as it is the managed path's as well */
export function tellCarried(
  fs: Filesystem,
  watch: Watch,
  pathBytes: number,
  ride: Ride,
  out: Occurrences,
): void {
  const place = ownEntry(watch);
  const one = out.add(ride.types, ride.pid, [place], fs.begins.anchorsOf(watch).length > 0);
  one.bytes = place.onlyName;
  one.nameBytes = place.onlyName.length;
  one.filesystem = fs;
  if (ride.otherEnd !== null)
    one.otherEnd = Buffer.concat([ride.otherEnd, Buffer.from(watch.path).subarray(pathBytes)]);
  ride.told.push(one);
}

/** A directory that is an entry of `node` is about to go: managed paths below it go along. */
export function tellCarriedAway(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
  ride: Ride,
  listener: StructureListener,
  out: Occurrences,
): void {
  for (const one of fs.begins.expectations.get(node) ?? []) {
    if (one.last || !sameBytes(one.name, bytes, nameAt, nameBytes) || !listener.isThere(one.watch)) continue;
    tellCarried(fs, one.watch, pathBytesOf(one), ride, out);
  }
}

/** The same by an event that tells no other end. Below a directory that is removed only a subvolume's contents are left. */
export function tellTaken(
  fs: Filesystem,
  node: number,
  batch: fan.EventBatch,
  i: number,
  listener: StructureListener,
  out: Occurrences,
): void {
  const ride = rideOf(fs, batch, i);
  const nameAt = batch.get(i, fan.NAME_AT);
  const nameBytes = batch.get(i, fan.NAME_BYTES);
  if (ride !== null) tellCarriedAway(fs, node, batch.bytes, nameAt, nameBytes, ride, listener, out);
}

/** Of the path that the entry has. */
export function pathBytesOf({ path, name }: Expectation): number {
  return path.length + 1 + name.length;
}
