import { expect, test } from "bun:test";
import { stringifySafely } from "../../src/log/json-text.ts";
import { encodeGap, encodeWatch } from "../../src/log/state.ts";

const TIME = Date.UTC(2026, 4, 7, 10, 0, 1, 482);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("encodeWatch() writes the eight keys first and in order", () => {
  const line = text(
    encodeWatch("/var/www", "started", { filters: "-r", host: "h", version: "1.2" }, 7, TIME),
  );
  expect(line).toBe(
    '{"time":"2026-05-07T10:00:01.482+00:00","event_type":"WATCH","path":"/var/www","pid":null,"cmd":null,' +
      '"user":null,"file_size":0,"monitored_path":"/var/www","state":"started","filters":"-r","host":"h","version":"1.2","segment":7}\n',
  );
});

test("encodeGap() writes reason, span and count", () => {
  const gap = { reason: "queue_overflow", fromMs: TIME - 1000, toMs: TIME, lost: null } as const;
  expect(text(encodeGap("/var/www", gap, TIME))).toBe(
    '{"time":"2026-05-07T10:00:01.482+00:00","event_type":"GAP","path":"/var/www","pid":null,"cmd":null,' +
      '"user":null,"file_size":0,"monitored_path":"/var/www","reason":"queue_overflow",' +
      '"gap_from":"2026-05-07T10:00:00.482+00:00","gap_to":"2026-05-07T10:00:01.482+00:00","lost":null}\n',
  );
});

test("encodeGap() puts the earlier moment first when the clock was set back", () => {
  const gap = { reason: "clock", fromMs: TIME, toMs: TIME - 5000, lost: 0 } as const;
  const { gap_from, gap_to } = JSON.parse(text(encodeGap("/a", gap, TIME - 5000)));
  expect([gap_from, gap_to]).toEqual(["2026-05-07T09:59:56.482+00:00", "2026-05-07T10:00:01.482+00:00"]);
});

test("stringifySafely() escapes every control character, U+007F to U+009F included, and loses none", () => {
  const all = Array.from({ length: 0xa1 }, (_, code) => String.fromCharCode(code)).join("");
  const written = stringifySafely(all);
  expect(written).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
  expect(JSON.parse(written)).toBe(all);
  expect(stringifySafely("\u009b")).toBe('"\\u009b"');
});
