// An entry of a directory: from which managed paths it is seen, and under which path.
import { joinPath, NO_PLACES, type Place, sameBytes } from "./watch.ts";

/** Hot. The places from which this entry is managed: nearly always the same array. */
export function entryPlaces(
  places: readonly Place[],
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
): readonly Place[] {
  for (const place of places) {
    if (wantsEntry(place, bytes, nameAt, nameBytes)) continue;
    const kept = places.filter((one) => wantsEntry(one, bytes, nameAt, nameBytes));
    return kept.length === 0 ? NO_PLACES : kept;
  }
  return places;
}

/** Hot. Whether an entry of that name is managed from this place. */
export function wantsEntry(place: Place, bytes: Uint8Array, nameAt: number, nameBytes: number): boolean {
  if (place.onlyName !== null) return sameBytes(place.onlyName, bytes, nameAt, nameBytes);
  return place.watch.recursive || place.depth === 0;
}

/** The places from which a directory's own events are managed. */
export function ownPlaces(places: readonly Place[]): readonly Place[] {
  return places.some((place) => place.onlyName !== null)
    ? places.filter((place) => place.onlyName === null)
    : places;
}

/** Absolute path of an entry of a place. */
export function entryPath(place: Place, bytes: Uint8Array, nameAt: number, nameBytes: number): Uint8Array {
  if (nameBytes === 0) return place.path.length === 0 ? Uint8Array.of(0x2f) : place.path;
  return joinPath(place.path, bytes.subarray(nameAt, nameAt + nameBytes));
}
