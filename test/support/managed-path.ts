// A managed path as `fsmon add PATH` makes it, and what a test wants otherwise.
import { DEFAULT_TYPES, type ManagedPath } from "../../src/event.ts";

export function managedPath(path: string, wanted: Partial<ManagedPath> = {}): ManagedPath {
  return {
    path,
    recursive: false,
    types: DEFAULT_TYPES,
    allEvents: false,
    exclude: [],
    minSizeBytes: null,
    excludeCmd: [],
    onlyCmd: [],
    details: false,
    args: false,
    ...wanted,
  };
}
