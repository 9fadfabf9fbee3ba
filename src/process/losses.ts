// After records of processes were lost: whose number can't have been anybody else's meanwhile. Births and ends are missing, so a
// number may have had holders of whom nobody told. The kernel gives numbers out in a circle: two holders of one are as many
// births apart as there are free numbers (save where root asks for a number: clone3 with set_tid, ns_last_pid).

import type { ProcessRecord } from "../decode/process.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import type { Process } from "./process.ts";
import { readPidMax } from "./procfs.ts";
import type { RecordLoss } from "./streams.ts";

export class Losses {
  /** CLOCK_MONOTONIC until when an event may be by somebody of whom nobody told. */
  private untilNs = 0;
  /** Records from before are full of holes, and /proc was read after them. */
  private worthlessUntilNs = 0;
  /** Numbers given to processes and threads so far, at the most; before and after what was lost. */
  private given = 0;
  private givenBefore = 0;
  private givenAfter = 0;
  /** How many there were; the one before the last concerns events that are still to be told. */
  private count = 0;
  private anotherIsOpen = false;
  /** Fewer births than that can't bring a number back. Half of all: others are in use, or given to who never got to live. */
  private roundBirths = 0;

  /** Hot. A process or thread was born: how many there were before it. */
  noteBirth(): number {
    return this.given++;
  }

  /** Hot. Whether a record of that time counts for nothing. */
  swallow(timeNs: number): boolean {
    return timeNs <= this.worthlessUntilNs;
  }

  /** Whether an event from after sinceNs may be by somebody of whom nobody told. */
  concern(sinceNs: number): boolean {
    return sinceNs < this.untilNs;
  }

  /**
   * Records were lost. Everything from before was told.
   *
   * @param discarded records that came all the same: each may tell of a birth, like each that was lost
   * @param sinceNs every event from before that is told already
   */
  begin({ count, untilNs }: RecordLoss, discarded: number, sinceNs: number): void {
    this.roundBirths = readPidMax() / 2;
    this.anotherIsOpen = this.concern(sinceNs);
    if (!this.anotherIsOpen) this.givenBefore = this.given;
    this.given += discarded + (count ?? this.roundBirths);
    this.worthlessUntilNs = untilNs;
    this.count++;
  }

  /** All who live were read from /proc. */
  end(): void {
    this.givenAfter = this.given;
    this.untilNs = monotonicNs();
  }

  /** The process had its number before what was lost, and has it still. */
  noteLasting(process: Process): void {
    if (!this.anotherIsOpen || process.lasted === this.count - 1) process.lasted = this.count;
  }

  /** Nobody knows how many births there were before or after this one's: its number may have been anybody's. */
  noteStranger(process: Process, mayBeOnlyOne: boolean): void {
    process.serial = mayBeOnlyOne ? this.given : Number.NEGATIVE_INFINITY;
  }

  /** Whether the number of its latest holder was only that one's, and of those before it who are known. */
  isOnly(latest: Process): boolean {
    for (let one: Process | null = latest; one !== null; one = one.earlier)
      if (one.lasted === this.count) return true;
    const { serial } = latest;
    const births = Math.max(this.givenAfter, serial) - Math.min(this.givenBefore, serial);
    return births < this.roundBirths;
  }
}

/** What the streams told before something of theirs was lost; ends have no time. */
export function toldBefore(records: readonly ProcessRecord[], sinceNs: number): ProcessRecord[] {
  return records.filter(({ kind, timeNs }) => timeNs <= sinceNs || kind === "end");
}
