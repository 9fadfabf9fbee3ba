import { describe, expect, test } from "bun:test";
import { EVENT_TYPES, type ManagedPath } from "../../src/event.ts";
import { BrokenLine, decodeEntry, encodeEntry } from "../../src/managed/entry.ts";
import { managedPath } from "../support/managed-path.ts";

const ENTRY: ManagedPath = {
  path: '/srv/"www"\n/é',
  recursive: true,
  types: ["MODIFY", "CREATE"],
  allEvents: false,
  exclude: ["*.swp", "re:\\.tmp$"],
  minSizeBytes: 1024,
  excludeCmd: ["rsync|apt*"],
  onlyCmd: ["nginx,vim"],
  details: true,
  args: false,
};

test("encodeEntry() writes one line with the documented keys", () => {
  expect(encodeEntry({ ...ENTRY, path: "/srv" })).toBe(
    '{"path":"/srv","recursive":true,"types":["MODIFY","CREATE"],"all_events":false,"exclude":["*.swp","re:\\\\.tmp$"],"min_size":1024,"exclude_cmd":["rsync|apt*"],"only_cmd":["nginx,vim"],"details":true,"args":false}',
  );
  expect(encodeEntry(ENTRY)).not.toContain("\n");
});

describe("decodeEntry()", () => {
  test("reads back what encodeEntry() wrote", () => {
    const entries: ManagedPath[] = [
      ENTRY,
      {
        ...ENTRY,
        minSizeBytes: null,
        types: EVENT_TYPES,
        allEvents: true,
        exclude: [],
        details: false,
        args: false,
      },
    ];
    for (const entry of entries) expect(decodeEntry(encodeEntry(entry))).toEqual(entry);
  });

  test("takes the defaults for what a person left out", () => {
    expect(decodeEntry(' {"path":"/srv"} ')).toEqual(managedPath("/srv"));
    expect(decodeEntry('{"path":"/srv","all_events":true}').types).toEqual(EVENT_TYPES);
    expect(decodeEntry('{"path":"/srv","types":["create","MODIFY"]}').types).toEqual(["MODIFY", "CREATE"]);
    expect(decodeEntry('{"path":"/srv","min_size":null,"future_key":{"a":1}}').minSizeBytes).toBeNull();
  });

  const broken: [string, string][] = [
    ["", "not JSON"],
    ["{", "not JSON"],
    ["null", "not a JSON object"],
    ["[]", "not a JSON object"],
    ['"/srv"', "not a JSON object"],
    ["{}", '"path"'],
    ['{"path":5}', '"path"'],
    ['{"path":"srv"}', "absolute"],
    ['{"path":"/srv/"}', "absolute"],
    ['{"path":"/srv/../etc"}', "absolute"],
    ['{"path":"/a\\u0000b"}', "absolute"],
    ['{"path":"/srv","recursive":"yes"}', '"recursive"'],
    ['{"path":"/srv","types":"MODIFY"}', '"types"'],
    ['{"path":"/srv","types":[1]}', '"types"'],
    ['{"path":"/srv","types":["BOGUS"]}', '"BOGUS"'],
    ['{"path":"/srv","exclude":"*.swp"}', '"exclude"'],
    ['{"path":"/srv","exclude":["[a"]}', '"[a"'],
    ['{"path":"/srv","only_cmd":["re:("]}', '"re:("'],
    ['{"path":"/srv","min_size":-1}', '"min_size"'],
    ['{"path":"/srv","min_size":"1MB"}', '"min_size"'],
    ['{"path":"/srv","min_size":1.5}', '"min_size"'],
  ];
  for (const [line, said] of broken) {
    test(`finds ${line || "an empty line"} broken: ${said}`, () => {
      expect(() => decodeEntry(line)).toThrow(BrokenLine);
      expect(() => decodeEntry(line)).toThrow(said);
    });
  }
});
