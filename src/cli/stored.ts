// The store's paths, for commands that read logs: it only helps to find them, so they work without one.
import type { ManagedPath } from "../event.ts";
import { Failure } from "../failure.ts";
import { loadStore } from "../managed/store.ts";
import type { Context } from "./context.ts";
import { remark } from "./report.ts";

export function storedEntries({ config, owner }: Context): readonly ManagedPath[] {
  try {
    return loadStore(config.managedFile, owner).paths;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    remark(error.message);
    return [];
  }
}
