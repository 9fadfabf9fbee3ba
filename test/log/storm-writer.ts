// A process of its own that writes numbered events as fast as it is told to, until it is killed or told to stop.
// argv: log directory, segment size, events a batch, milliseconds between batches, first number. After each batch the next
// number is put at the start of the file `acknowledged`, so that a test knows what was written even after kill -9. Holds the
// directory as a daemon does, and seals its live file on SIGUSR1.
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Lifetime } from "../../src/log/lifetime.ts";
import { LogDir, numbered, OWNER } from "./log-dir.ts";

const [dirPath = "", segmentSize = "0", batch = "1", pauseMs = "1", first = "0"] = process.argv.slice(2);
const dir = new LogDir(dirPath);
const lifetime = new Lifetime(dirPath, OWNER, Date.now());
const writer = dir.openWriter(Number(segmentSize));
const acknowledged = openSync(join(dirPath, "acknowledged"), "w");
let next = Number(first);
let stopping = false;
// A test run that was killed must not leave a storm behind.
const parent = process.ppid;
process.on("SIGTERM", () => {
  stopping = true;
});
process.on("SIGUSR1", () => writer.seal());
while (!stopping && process.ppid === parent) {
  const timeMs = Date.now();
  let text = "";
  for (let i = 0; i < Number(batch); i++) text += `${numbered(next++, timeMs)}\n`;
  const bytes = Buffer.from(text);
  writer.append(bytes, bytes.length, Number(batch), timeMs);
  writeSync(acknowledged, String(next).padStart(12), 0);
  await Bun.sleep(Number(pauseMs));
}
writer.close();
lifetime.stop(Date.now());
