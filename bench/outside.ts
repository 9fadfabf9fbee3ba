// What happens on a marked filesystem outside every managed path: the kernel reports it all the same, and it has to cost next to
// nothing. Beside a C program that reads the same events and only counts them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { TestFilesystem } from "../test/support/filesystem.ts";
import { Workload } from "../test/support/workload.ts";
import { floor } from "./floor.ts";
import { startOurs } from "./ours.ts";
import { atMost, type Section } from "./section.ts";
import { median, spread, table } from "./table.ts";
import { cpuUs } from "./usage.ts";

const FILES = 100_000;

export const outside: Section = {
  name: "outside",
  title: "Events outside every managed path",
  run: async (rounds) => {
    const workload = new Workload("storm");
    const reader: number[] = [];
    const ours: number[] = [];
    let events = 0;
    const filesystem = TestFilesystem.mount("tmpfs");
    try {
      const managed = join(filesystem.path, "managed");
      const elsewhere = join(filesystem.path, "elsewhere");
      mkdirSync(managed);
      mkdirSync(elsewhere);
      for (let round = 0; round < rounds; round++) {
        const c = await floor(2).start(managed);
        await workload.start("files", elsewhere, 1, FILES);
        await c.drained();
        const us = cpuUs(c.pids);
        events = (await c.counts()).events;
        await c.stop();
        reader.push(us / events);
        const running = await startOurs([managed]);
        await workload.start("files", elsewhere, 1, FILES);
        await running.drained();
        const before = cpuUs(running.pids);
        await workload.start("files", elsewhere, 1, FILES);
        await running.drained();
        ours.push((cpuUs(running.pids) - before) / events);
        await running.stop();
      }
    } finally {
      filesystem.unmount();
      workload.remove();
    }
    const beyond = median(ours) - median(reader);
    return {
      text: table(
        ["reads them", `µs CPU an event (of ${events})`],
        [
          ["C reader, 2 ms", spread(reader, 2)],
          ["fsmon", spread(ours, 2)],
        ],
      ),
      goals: [atMost("events out of scope, beyond the C reader", 0.3, beyond, "µs each", 2)],
    };
  },
};
