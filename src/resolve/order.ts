// In which order the types of one merged event become lines. The kernel ORs what one process did to one
// object into one mask and the order is lost; this is the one rule, documented in docs/events.md: the life of
// an object from its birth to its end.
import { type EventType, TYPE_BITS } from "../event.ts";

const ORDER: readonly EventType[] = [
  "MOVED_FROM",
  "MOVED_TO",
  "MOVE_SELF",
  "CREATE",
  "OPEN",
  "OPEN_EXEC",
  "ACCESS",
  "MODIFY",
  "ATTRIB",
  "CLOSE_WRITE",
  "CLOSE_NOWRITE",
  "DELETE",
  "DELETE_SELF",
  "FS_ERROR",
];

/** Bit and name of each type, in the order of lines. */
export const LINE_ORDER: readonly { bit: number; type: EventType }[] = ORDER.map((type) => ({
  bit: TYPE_BITS[type],
  type,
}));

/**
 * The same with DELETE before CREATE: a link that was removed and made again within one event, and is there
 * now.
 */
export const LINE_ORDER_REBORN: readonly { bit: number; type: EventType }[] = [
  ...LINE_ORDER.filter((one) => one.type === "DELETE"),
  ...LINE_ORDER.filter((one) => one.type !== "DELETE"),
];

/** All bits that become lines. */
export const LINE_BITS = Object.values(TYPE_BITS).reduce((mask, bit) => mask | bit, 0);

/** The kernel merged a file's DELETE into an older event of the same process and name, whose place it has. */
export function isMergedRemoval(mask: number): boolean {
  return (mask & TYPE_BITS.DELETE) !== 0 && (mask & LINE_BITS) !== TYPE_BITS.DELETE;
}
