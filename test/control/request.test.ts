import { describe, expect, test } from "bun:test";
import { FieldError } from "../../src/control/fields.ts";
import type { Request } from "../../src/control/protocol.ts";
import { decodeRequest, encodeRequest } from "../../src/control/request.ts";
import { EVENT_TYPES } from "../../src/event.ts";
import { managedPath } from "../support/managed-path.ts";
import { ENTRY } from "./fake-daemon.ts";

const text = (request: Request) => Buffer.from(encodeRequest(request)).toString();

describe("a request", () => {
  const requests: Request[] = [
    { command: "add", entry: ENTRY },
    {
      command: "add",
      entry: {
        ...ENTRY,
        minSizeBytes: null,
        types: EVENT_TYPES,
        allEvents: true,
        details: true,
        args: false,
      },
    },
    { command: "add", entry: { ...ENTRY, path: '/a "b"\n\n\x1b[31m\u2028é', exclude: ["a\nb", "\t*"] } },
    { command: "remove", path: "/" },
    { command: "status" },
    { command: "health" },
    { command: "seal", hash: "0123456789abcdef" },
    { command: "reload" },
  ];
  for (const request of requests) {
    test(`${request.command} survives encoding and decoding: ${JSON.stringify(request).slice(0, 60)}`, () => {
      expect(decodeRequest(text(request))).toEqual(request);
    });
  }

  test("begins with the version and has one empty line, at the end", () => {
    const encoded = text({ command: "add", entry: { ...ENTRY, path: "/a\n\nb" } });
    expect(encoded.startsWith("version = 1\n")).toBe(true);
    expect(encoded.indexOf("\n\n")).toBe(encoded.length - 2);
  });

  test("needs no filter", () => {
    const request = decodeRequest('version = 1\ncommand = "add"\npath = "/srv"\n');
    expect(request).toEqual({ command: "add", entry: managedPath("/srv") });
  });
});

describe("decodeRequest() refuses", () => {
  const add = 'version = 1\ncommand = "add"\npath = "/srv"\n';
  const wrong: [what: string, text: string, message: string][] = [
    ["no TOML", "hello", "not valid TOML"],
    ["deep TOML", `version = 1\ncommand = "status"\na = ${"[".repeat(5000)}`, "not valid TOML"],
    [
      "TOML that is deeper than any message",
      'version = 1\ncommand = "status"\na = [[[[[[[[[]]]]]]]]]',
      "not valid TOML",
    ],
    ["no version", 'command = "status"', '"version" is missing'],
    ["another version", 'version = 2\ncommand = "status"', "version 2"],
    ["a version that is text", 'version = "1"\ncommand = "status"', "is a string"],
    ["no command", "version = 1", '"command" is missing'],
    ["an unknown command", 'version = 1\ncommand = "stat"', '"stat"'],
    ["a command that is a list", 'version = 1\ncommand = ["status"]', "is a list"],
    ["an unknown key", `${add}exlude = ["a"]`, 'did you mean "exclude"'],
    ["types beside all of them", `${add}all_events = true\ntypes = ["CREATE"]`, '"types" and "all_events"'],
    ["a key of another command", 'version = 1\ncommand = "status"\npath = "/srv"', '"path" is unknown'],
    ["a key of Object.prototype", 'version = 1\ncommand = "status"\n__proto__ = 1', '"__proto__" is unknown'],
    ["a relative path", 'version = 1\ncommand = "remove"\npath = "srv"', '"srv"'],
    ["a path with ..", 'version = 1\ncommand = "remove"\npath = "/srv/../etc"', '"/srv/../etc"'],
    ["a path with a slash at the end", 'version = 1\ncommand = "remove"\npath = "/srv/"', '"/srv/"'],
    ["a path with NUL", 'version = 1\ncommand = "remove"\npath = "/srv\\u0000"', "NUL"],
    ["a path of 5000 bytes", `version = 1\ncommand = "remove"\npath = "/${"x".repeat(5000)}"`, "plain form"],
    ["a path that is a number", 'version = 1\ncommand = "remove"\npath = 7', "the number 7"],
    ["a path that is a date", 'version = 1\ncommand = "remove"\npath = 2026-01-01', "is a date"],
    ["an unknown event type", `${add}types = ["CREATED"]`, '"CREATED"'],
    ["no event type at all", `${add}types = []`, "empty"],
    ["types that are text", `${add}types = "CREATE"`, "is a string"],
    ["a mixed list", `${add}exclude = ["a", 1]`, "the number 1"],
    ["a negative size", `${add}min_size_bytes = -1`, "the number -1"],
    ["a fraction", `${add}min_size_bytes = 1.5`, "the number 1.5"],
    ["a yes that is text", `${add}recursive = "yes"`, "is a string"],
    ["a hash with a slash", 'version = 1\ncommand = "seal"\nhash = "../../etc/passwd"', "malformed"],
  ];
  for (const [what, request, message] of wrong) {
    test(what, () => {
      let thrown: unknown;
      try {
        decodeRequest(request);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(FieldError);
      expect(String(thrown)).toContain(message);
    });
  }

  test("more than 64 patterns", () => {
    expect(() => decodeRequest(`${add}exclude = [${'"a",'.repeat(65)}]`)).toThrow("65 patterns");
  });

  test("types in any letter case are taken, in the order of the table", () => {
    const request = decodeRequest(`${add}types = ["delete", "Create"]`);
    expect(request).toMatchObject({ entry: { types: ["CREATE", "DELETE"] } });
  });
});
