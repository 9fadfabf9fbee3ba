import { describe, expect, test } from "bun:test";
import { DEFAULT_TYPES, EVENT_TYPES } from "../../src/event.ts";
import { UsageFailure } from "../../src/failure.ts";
import { type FilterFlags, formatFilters, parseFilterFlags, parseTypes } from "../../src/filter/flags.ts";

function refusal(flags: FilterFlags): UsageFailure {
  try {
    parseFilterFlags(flags);
  } catch (error) {
    if (error instanceof UsageFailure) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("parseTypes()", () => {
  test("takes any letter case, repeats and spaces, and gives the canonical order", () => {
    expect(parseTypes(["create, MODIFY", "Access,create"])).toEqual(["ACCESS", "MODIFY", "CREATE"]);
    expect(parseTypes(EVENT_TYPES.toReversed())).toEqual(EVENT_TYPES);
  });

  test("means the default set when there is no list", () => {
    expect(new Set(parseTypes([]))).toEqual(new Set(DEFAULT_TYPES));
  });

  test("refuses an unknown type with the nearest and all 14", () => {
    const failure = refusal({ types: ["MODIFY,MOVE_FROM"] });
    expect(failure.exitCode).toBe(2);
    expect(failure.message).toContain('"MOVE_FROM"');
    expect(failure.hint).toContain("did you mean MOVED_FROM?");
    for (const type of EVENT_TYPES) expect(failure.hint).toContain(type);
    expect(refusal({ types: ["bogus"] }).hint).not.toContain("did you mean");
    for (const empty of ["", ",", " ", "CREATE,,DELETE", "CREATE,"]) {
      const failed = refusal({ types: [empty] });
      expect(failed).toMatchObject({
        exitCode: 2,
        message: `Cannot use the event types "${empty}": one of them is empty`,
      });
      expect(failed.hint).toContain("CLOSE_WRITE");
    }
    expect(refusal({ types: ["CREATE", ""] }).message).toContain('"CREATE,"');
    // Object.prototype's own names are no event types.
    expect(refusal({ types: ["constructor"] }).message).toContain('"constructor"');
  });
});

describe("parseFilterFlags()", () => {
  test("without flags gives the defaults", () => {
    expect(parseFilterFlags({})).toEqual({
      recursive: false,
      types: DEFAULT_TYPES,
      allEvents: false,
      exclude: [],
      minSizeBytes: null,
      excludeCmd: [],
      onlyCmd: [],
      details: false,
      args: false,
    });
  });

  test("keeps patterns as typed and reads the rest", () => {
    const spec = parseFilterFlags({
      recursive: true,
      allEvents: true,
      exclude: ["*.swp", "re:\\.tmp$"],
      minSize: "1.5K",
      excludeCmd: ["rsync|apt*"],
      onlyCmd: ["nginx,vim"],
      details: true,
      args: false,
    });
    expect(spec).toEqual({
      recursive: true,
      types: EVENT_TYPES,
      allEvents: true,
      exclude: ["*.swp", "re:\\.tmp$"],
      minSizeBytes: 1536,
      excludeCmd: ["rsync|apt*"],
      onlyCmd: ["nginx,vim"],
      details: true,
      args: false,
    });
  });

  test("refuses what can't be used, quoting it", () => {
    const refused: [FilterFlags, string][] = [
      [{ allEvents: true, types: ["MODIFY"] }, "--types MODIFY together with --all-events"],
      [{ minSize: "big" }, '"big"'],
      [{ minSize: "" }, '""'],
      [{ exclude: ["[a"] }, '"[a"'],
      [{ exclude: [""] }, '""'],
      [{ excludeCmd: ["{a"] }, '"{a"'],
      [{ onlyCmd: ["re:("] }, '"re:("'],
      [{ onlyCmd: ["re:(a+)+$"] }, '"re:(a+)+$"'],
      [{ exclude: ["a/b"] }, '"a/b"'],
    ];
    for (const [flags, quoted] of refused) {
      const failure = refusal(flags);
      expect(failure.message).toContain(quoted);
      expect(failure.hint).not.toBeNull();
      expect(failure.exitCode).toBe(2);
    }
  });
});

describe("formatFilters()", () => {
  test("shows each filter in its place", () => {
    const spec = parseFilterFlags({
      recursive: true,
      types: ["CREATE,MODIFY"],
      exclude: ["*.swp"],
      onlyCmd: ["nginx,vim"],
    });
    expect(formatFilters(spec)).toBe(
      "types=MODIFY,CREATE | recursive | min_size=- | exclude-path=*.swp | exclude-cmd=- | only-cmd=nginx,vim | events=filtered",
    );
  });

  test("names the default set and all types", () => {
    expect(formatFilters(parseFilterFlags({}))).toBe(
      `types=${DEFAULT_TYPES.join(",")} | non-recursive | min_size=- | exclude-path=- | exclude-cmd=- | only-cmd=- | events=default`,
    );
    const all = parseFilterFlags({
      allEvents: true,
      minSize: "1MB",
      excludeCmd: ["a", "b|c"],
      details: true,
      args: false,
    });
    expect(formatFilters(all)).toBe(
      `types=${EVENT_TYPES.join(",")} | non-recursive | min_size=1MB | exclude-path=- | exclude-cmd=a,b|c | only-cmd=- | events=all | details`,
    );
  });
});
