import { describe, expect, test } from "bun:test";
import { PATH_STATES } from "../../src/event.ts";
import { healthMetrics } from "../../src/health/prometheus.ts";
import type { HealthReport } from "../../src/health/report.ts";
import { STATUS, WATCHED } from "../control/fake-daemon.ts";
import { parseMetrics } from "./exposition.ts";

const REPORT: HealthReport = {
  nowMs: STATUS.nowMs,
  healthy: true,
  problems: [],
  daemon: { kind: "answers", status: { ...STATUS, paths: [WATCHED] } },
  paths: [{ status: WATCHED, log: null }],
  disk: { logDir: "/l", freeBytes: 1e15, totalBytes: 2e15, logsBytes: 3, fullMs: null },
  limits: { keepDays: 30, maxSizeBytes: 2 ** 30, maxTotalBytes: null, minFreeBytes: null },
};

describe("healthMetrics()", () => {
  test("is what a strict reader of the exposition format accepts", () => {
    const metrics = parseMetrics(healthMetrics(REPORT));
    expect(metrics.get("fsmon_up")).toEqual({ type: "gauge", samples: [{ labels: {}, value: 1 }] });
    expect(metrics.get("fsmon_events_read_total")?.samples).toEqual([{ labels: {}, value: 100 }]);
    expect(metrics.get("fsmon_log_disk_free_bytes")?.samples[0]?.value).toBe(1e15);
    expect(metrics.get("fsmon_memory_limit_bytes")).toBeUndefined();
  });

  test("has every reason of GAP from the beginning, so that an alert can see the first", () => {
    const { samples = [] } = parseMetrics(healthMetrics(REPORT)).get("fsmon_gaps_total") ?? {};
    expect(samples).toHaveLength(9);
    expect(samples).toContainEqual({ labels: { reason: "queue_overflow" }, value: 2 });
    expect(samples).toContainEqual({ labels: { reason: "disk_full" }, value: 0 });
  });

  test("gives paths back exactly, whatever they hold", () => {
    const paths = ['/a "quoted"', "/back\\slash\\n", "/new\nline", "/braces{},=", "/ünïcode", "/#"];
    const report = {
      ...REPORT,
      paths: paths.map((path) => ({ status: { ...WATCHED, path }, log: null })),
    };
    const { samples = [] } = parseMetrics(healthMetrics(report)).get("fsmon_path_directories") ?? {};
    expect(samples.map(({ labels }) => labels.path)).toEqual(paths);
    expect(parseMetrics(healthMetrics(report)).get("fsmon_path_state")?.samples).toHaveLength(
      PATH_STATES.length * paths.length,
    );
  });

  test("without a daemon says that it is down, and what the disk is like", () => {
    const report: HealthReport = {
      ...REPORT,
      healthy: false,
      daemon: { kind: "none", reason: null },
      paths: [],
    };
    const metrics = parseMetrics(healthMetrics(report));
    expect(metrics.get("fsmon_up")?.samples[0]?.value).toBe(0);
    expect(metrics.get("fsmon_healthy")?.samples[0]?.value).toBe(0);
    expect(metrics.has("fsmon_events_read_total")).toBe(false);
  });
});

describe("the strict reader", () => {
  const good = "# HELP a_total x\n# TYPE a_total counter\na_total 1\n";
  const wrong: [why: string, text: string][] = [
    ["no newline at the end", good.trimEnd()],
    ["a sample without TYPE", "a 1\n"],
    ["TYPE before HELP", "# TYPE a gauge\n# HELP a x\na 1\n"],
    ["a family twice", good + good],
    ["a sample twice", `${good}a_total 2\n`],
    ["a counter that isn't called _total", "# HELP a x\n# TYPE a counter\na 1\n"],
    ["a bare backslash in a label", '# HELP a x\n# TYPE a gauge\na{p="\\x"} 1\n'],
    ["an open quote", '# HELP a x\n# TYPE a gauge\na{p="x} 1\n'],
    ["a label's name that is none", '# HELP a x\n# TYPE a gauge\na{p-q="x"} 1\n'],
    ["a value that is none", "# HELP a x\n# TYPE a gauge\na null\n"],
    ["a family without a sample", "# HELP a x\n# TYPE a gauge\n"],
  ];
  for (const [why, text] of wrong) {
    test(`refuses ${why}`, () => {
      expect(() => parseMetrics(text)).toThrow();
    });
  }
});
