// A process of its own that cleans once: log directory, max size. Says so before it begins.
import { writeSync } from "node:fs";
import { applyClean } from "../../src/clean/clean.ts";
import { OWNER } from "../log/log-dir.ts";

const [logDir = "", maxSizeBytes = "0"] = process.argv.slice(2);
writeSync(1, "begin\n");
await applyClean(
  {
    logDir,
    owner: OWNER,
    paths: null,
    keepDays: null,
    maxSizeBytes: Number(maxSizeBytes),
    nowMs: Date.now(),
  },
  { sealLive: () => false },
);
