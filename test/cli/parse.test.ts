import { describe, expect, test } from "bun:test";
import { type Invocation, type ParsedArguments, parseCommandLine } from "../../src/cli/parse.ts";
import { EXIT, UsageFailure } from "../../src/failure.ts";

function args(...typed: string[]): ParsedArguments {
  const invocation = parseCommandLine(typed);
  if (invocation.kind !== "run") throw new Error(`parsed as ${invocation.kind}`);
  return invocation.args;
}

function refusal(...typed: string[]): UsageFailure {
  try {
    parseCommandLine(typed);
  } catch (error) {
    if (error instanceof UsageFailure) return error;
    throw error;
  }
  throw new Error(`accepted: ${typed.join(" ")}`);
}

describe("parseCommandLine() takes a value", () => {
  const values: [what: string, typed: string[], option: string, value: string][] = [
    ["that begins with a dash", ["query", "--since", "-1h"], "since", "-1h"],
    ["that begins with a dash, after =", ["query", "--since=-1h"], "since", "-1h"],
    ["that looks like a negative number", ["clean", "--keep-days", "-5"], "keep-days", "-5"],
    ["that is a single dash", ["query", "--file", "-"], "file", "-"],
    ["with zeros in front", ["query", "--since", "007"], "since", "007"],
    ["that looks like a float", ["add", "/a", "--only-cmd", "1e3"], "only-cmd", "1e3"],
    ["that looks like a hexadecimal number", ["query", "-p", "0x10"], "path", "0x10"],
    ["that says true", ["add", "/a", "-e", "true"], "exclude", "true"],
    ["with = in it", ["add", "/a", "--exclude", "a=b=c"], "exclude", "a=b=c"],
    ["with commas, unsplit", ["add", "/a", "-t", "CREATE,DELETE"], "types", "CREATE,DELETE"],
    ["of spaces", ["add", "/a", "-e", "  "], "exclude", "  "],
    ["that begins with the parser's guard", ["add", "/a", "-e", ":x"], "exclude", ":x"],
    ["attached to its letter", ["add", "/a", "-m1MB"], "min-size", "1MB"],
    ["attached to its letter with =", ["add", "/a", "-m=1MB"], "min-size", "1MB"],
    ["behind a bundle of letters", ["add", "/a", "-rm", "1MB"], "min-size", "1MB"],
    ["that is a dotted name", ["query", "--path", "a.b.c"], "path", "a.b.c"],
    ["that begins with --", ["add", "/a", "--exclude=--weird"], "exclude", "--weird"],
    ["that begins with -- and is no option", ["add", "/a", "--exclude", "--weird"], "exclude", "--weird"],
  ];
  for (const [what, typed, option, value] of values) {
    test(what, () => expect(args(...typed).all(option)).toEqual([value]));
  }

  test("repeatedly: every one counts where that is promised", () => {
    const parsed = args("add", "/a", "-e", "a", "--exclude=b", "-ec", "--only-cmd", "1", "--only-cmd", "2");
    expect(parsed.all("exclude")).toEqual(["a", "b", "c"]);
    expect(parsed.all("only-cmd")).toEqual(["1", "2"]);
  });

  test("repeatedly: the last one counts elsewhere", () => {
    expect(args("query", "--since", "1h", "--since=2h").last("since")).toBe("2h");
    expect(args("clean", "--keep-days=5", "--keep-days=6").last("keep-days")).toBe("6");
  });
});

describe("parseCommandLine()", () => {
  test("takes what follows -- as arguments", () => {
    expect(args("add", "--", "-r").positionals).toEqual(["-r"]);
    expect(args("add", "-r", "--", "--help").positionals).toEqual(["--help"]);
    expect(args("remove", "--", "--").positionals).toEqual(["--"]);
  });

  test("keeps arguments as typed", () => {
    for (const path of ["007", "1e3", "-", "true", "", "a b", "no-color", ":x"]) {
      expect(args("add", path).positionals).toEqual([path]);
    }
  });

  test("reads flags, in bundles too, and only those that were given", () => {
    const parsed = args("add", "-r", "/a", "--all-events");
    expect(parsed.has("recursive")).toBe(true);
    expect(parsed.has("all-events")).toBe(true);
    expect(parsed.has("details")).toBe(false);
    expect(parsed.last("min-size")).toBeUndefined();
    expect(args("add", "-rr", "/a").has("recursive")).toBe(true);
  });

  test("takes --no-color before and after the command", () => {
    expect(args("--no-color", "managed").has("no-color")).toBe(true);
    expect(args("managed", "--no-color").has("no-color")).toBe(true);
    expect(args("managed").has("no-color")).toBe(false);
  });

  const wishes: [typed: string[], wish: Partial<Invocation> | Record<string, unknown>][] = [
    [[], { kind: "help", command: null }],
    [["help"], { kind: "help", command: null }],
    [["--help"], { kind: "help", command: null }],
    [["-h"], { kind: "help", command: null }],
    [["help", "add"], { kind: "help", command: { name: "add" } }],
    [["add", "--help"], { kind: "help", command: { name: "add" } }],
    [["add", "/a", "-rh"], { kind: "help", command: { name: "add" } }],
    [["--help", "add"], { kind: "help", command: { name: "add" } }],
    [["--version"], { kind: "version" }],
    [["-V"], { kind: "version" }],
    [["query", "--version"], { kind: "version" }],
  ];
  for (const [typed, wish] of wishes) {
    test(`understands "fsmon ${typed.join(" ")}"`, () => expect(parseCommandLine(typed)).toMatchObject(wish));
  }
});

describe("parseCommandLine() refuses", () => {
  const refusals: [typed: string[], message: string, hint: string][] = [
    [["ad", "/a"], '"ad"', "fsmon add"],
    [["bogus", "--help"], '"bogus"', "daemon, add, remove"],
    [["help", "add", "remove"], '"remove"', "fsmon help remove"],
    [["help", "querry"], '"querry"', "fsmon query"],
    [["query", "--sinc", "1h"], '"--sinc"', "--since"],
    [["query", "--Since", "1h"], '"--Since"', "--since"],
    [["query", "--limit", "-5"], '"--limit"', "--help"],
    [["query", "-5"], '"-5"', "fsmon query --help"],
    [["query", "--no-since"], '"--no-since"', "--since"],
    [["add", "/a", "--excludecmd", "x"], '"--excludecmd"', "--exclude-cmd"],
    [["add", "/a", "--excludeCmd", "x"], '"--excludeCmd"', "--exclude-cmd"],
    [["add", "/a", "-rx"], '"-x"', "--help"],
    [["--since", "1h", "query"], '"--since"', "after its name"],
    [["query", "--since"], "--since needs a value", "accepted: now"],
    [["query", "--since="], "--since needs a value", "accepted: now"],
    [["query", "--since", ""], "--since needs a value", "accepted: now"],
    [["query", "--since", "--until", "1h"], "--since needs a value", "--since=--until"],
    [["query", "--since", "--help"], "--since needs a value", "--since=--help"],
    [["query", "--since", "--", "1h"], "--since needs a value", "accepted: now"],
    [["add", "/a", "-e"], "-e needs a value", "accepted: globs"],
    [["add", "/a", "-e="], "-e needs a value", "accepted: globs"],
    [["add", "/a", "--recursive=false"], "--recursive takes no value", "type --recursive"],
    [["add"], "needs a PATH", "fsmon add -r /var/www"],
    [["add", "/a", "/b"], '"/b"', "quotes"],
    [["managed", "x"], "takes no argument", ""],
  ];
  for (const [typed, message, hint] of refusals) {
    test(`"fsmon ${typed.join(" ")}"`, () => {
      const failure = refusal(...typed);
      expect(failure.message).toContain(message);
      expect(failure.hint).toContain(hint);
      expect(failure.exitCode).toBe(EXIT.usage);
    });
  }
});
