// A name that a rename took from a file and a link of the same process gives it again: the kernel merges the link's CREATE into an older
// event of that name, and only the nameless ATTRIB of the number of links stands where it happened. Which name it was.
import * as fan from "../../decode/fan.ts";
import * as abi from "../../kernel/abi.ts";
import { entryPlaces } from "../entry.ts";
import type { Queued } from "../exchanges.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { NOT_FOUND } from "../filesystems/tree.ts";
import type { Journey, Journeys } from "../journeys.ts";
import { entryKey, entryOf, objectKey } from "../keys.ts";
import type { Occurrences } from "../occurrence.ts";
import { fileAppeared, type StructureListener } from "../structure.ts";
import type { Endings } from "./endings.ts";
import { isMateOf, isNamedNext } from "./named-next.ts";
import { nextOfProcess } from "./orphans.ts";

type Batch = fan.EventBatch;

export class LinkedAgain {
  constructor(
    private readonly journeys: Journeys,
    private readonly queued: Queued,
    private readonly endings: Endings,
    private readonly listener: StructureListener,
    private readonly selfPid: number,
  ) {}

  /** Hot. The renames of a nameless event's file; undefined where its process has done none of them. */
  journeyOf(fs: Filesystem, batch: Batch, i: number): Journey | undefined {
    const journey = this.journeys.of(fs, batch, i);
    return journey === undefined || leftBy(journey, batch.get(i, fan.NUMBER)).length === 0
      ? undefined
      : journey;
  }

  /** Whether a rename has taken the file of this event from the name that it tells, and none has brought it back. */
  wasRenamedAway(fs: Filesystem, batch: Batch, i: number): boolean {
    const journey = this.journeys.of(fs, batch, i);
    if (journey === undefined) return false;
    const entry = entryKey(batch, i, fan.DIR_AT);
    return journey.left.has(entry) && journey.at !== entry;
  }

  /**
   * Tells that the file of a nameless event was given such a name again, and the event's types with it.
   *
   * @param named the row before that names the file and that the CREATE can be merged into; -1 for none in this batch
   * @returns false when the event tells of something else
   */
  tell(journey: Journey, batch: Batch, i: number, named: number, types: number, out: Occurrences): boolean {
    const entries = leftBy(journey, batch.get(i, fan.NUMBER));
    if (this.hasEventOfItsOwn(journey.fs, batch, i, [entries[0]!, journey.at])) return false;
    const before = named < 0 ? "" : entryKey(batch, named, fan.DIR_AT);
    const entry = entries.includes(before) ? before : entries[0]!;
    journey.left.delete(entry);
    this.tellMade(journey, entry, batch, i, types, out);
    return true;
  }

  /** Whether the link or the unlinking that changed the number of links is the process's next event. */
  private hasEventOfItsOwn(fs: Filesystem, batch: Batch, i: number, entries: readonly string[]): boolean {
    const next = nextOfProcess(batch, i);
    if (next >= 0) return isMateOf(batch, i, batch, next);
    const directories = entries.map((entry) => entryOf(entry).parent);
    return isNamedNext(this.queued, fs, batch, i, directories, 1);
  }

  private tellMade(
    { fs, handle }: Journey,
    entry: string,
    batch: Batch,
    i: number,
    types: number,
    out: Occurrences,
  ): void {
    const { parent, name } = entryOf(entry);
    const node = fs.tree.find(parent, 0);
    if (node === NOT_FOUND) return;
    this.endings.freeEntry(fs, node, name, 0, name.length, () => objectKey(fs, batch, i), out);
    fileAppeared(fs, node, name, 0, name.length, this.listener);
    const places = entryPlaces(fs.placesOf(node), name, 0, name.length);
    const pid = batch.get(i, fan.PID);
    if (places.length === 0 || pid === this.selfPid) return;
    const one = out.add(types | abi.FAN_CREATE, pid, places, false);
    one.merged = true;
    // The name may be another file's by now: its size is asked for by the handle.
    one.moved = true;
    one.filesystem = fs;
    one.bytes = Buffer.concat([name, handle]);
    one.nameBytes = name.length;
    one.objectAt = name.length;
    one.objectBytes = handle.length;
  }
}

/** The entries that a process took a file from, and that it hasn't come back to by a rename. */
function leftBy({ left, at }: Journey, number: number): string[] {
  return [...left].filter(([entry, by]) => by === number && entry !== at).map(([entry]) => entry);
}
