// A number that was given to a second process while events of the first are still in the queue: which of them did it.
// The queue is in order of time and forks are told with theirs, so whoever stands behind an event of a later process is
// later than that one's fork. What remains open stays nobody's: a number alone is no proof.
import { COLUMNS, EVENT_AT, type EventBatch, FSID_HIGH, FSID_LOW, PID } from "../decode/fan.ts";
import { METADATA_PID } from "../kernel/abi.ts";
import type { ProcessTable } from "../process/table.ts";
import { OWN_FSID_HIGH } from "../resolve/filesystems/event-queues.ts";

/**
 * Puts aliases of the table's in place of such numbers, in the rows and in the bytes, from which events that have to
 * wait are decoded anew.
 *
 * @param sinceNs when the queue was last seen empty
 * @param readNs when the batch had been read
 */
export function tellReusedApart(
  batch: EventBatch,
  table: ProcessTable,
  sinceNs: number,
  readNs: number,
): void {
  const { rows, words, count } = batch;
  let notBeforeNs = sinceNs;
  let queue = 0;
  for (let i = 0; i < count; i++) {
    const row = i * COLUMNS;
    // Each queue has an order of its own.
    const its = rows[row + FSID_HIGH] === OWN_FSID_HIGH ? rows[row + FSID_LOW]! : 0;
    if (its !== queue) notBeforeNs = sinceNs;
    queue = its;
    const number = table.tellApart(rows[row + PID]!, notBeforeNs, readNs);
    const process = number < 0 ? table.find(number) : table.peek(number);
    if (process !== null && process.forkedNs > notBeforeNs) notBeforeNs = process.forkedNs;
    rows[row + PID] = number;
    words[(rows[row + EVENT_AT]! + METADATA_PID) >> 2] = number;
  }
}
