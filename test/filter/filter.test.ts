import { describe, expect, test } from "bun:test";
import { TYPE_BITS } from "../../src/event.ts";
import { UsageFailure } from "../../src/failure.ts";
import { checkPatterns, compileFilter } from "../../src/filter/filter.ts";
import { managedPath } from "../support/managed-path.ts";

const NOTHING = managedPath("/srv/www", { recursive: true });

function excluding(exclude: string[], managedPath = "/srv/www") {
  return compileFilter({ ...NOTHING, exclude }, managedPath);
}

/** What the daemon does for one path: its directory first, then the entry. */
function isExcluded(exclude: string[], path: string, managedPath = "/srv/www"): boolean {
  const filter = excluding(exclude, managedPath);
  const slash = path.lastIndexOf("/");
  const directory = path.slice(0, slash) || "/";
  return filter.excludesDirectory(directory) || filter.excludesEntry(directory, path.slice(slash + 1));
}

test("compileFilter() without filters lets everything pass", () => {
  const filter = compileFilter({ ...NOTHING, types: ["MODIFY", "CREATE"], recursive: false }, "/srv/www");
  expect(filter.typesMask).toBe(TYPE_BITS.MODIFY | TYPE_BITS.CREATE);
  expect(filter.recursive).toBe(false);
  expect([filter.minSizeBytes, filter.hasPathPatterns, filter.hasCmdPatterns]).toEqual([null, false, false]);
  expect(filter.excludesDirectory("/srv/www/a")).toBe(false);
  expect(filter.excludesEntry("/srv/www", "a")).toBe(false);
  expect(filter.wantsCommand("nginx")).toBe(true);
  expect(filter.wantsSize(0)).toBe(true);
});

describe("--exclude", () => {
  test("without a slash is compared with every name below the managed path", () => {
    expect(isExcluded(["*.swp"], "/srv/www/.index.html.swp")).toBe(true);
    expect(isExcluded(["*.swp"], "/srv/www/a/b/x.swp")).toBe(true);
    expect(isExcluded(["*.swp"], "/srv/www/x.swp.html")).toBe(false);
    expect(isExcluded(["*.SWP"], "/srv/www/x.swp")).toBe(false);
  });

  test("covers everything below a directory that it matches", () => {
    expect(isExcluded(["node_modules"], "/srv/www/a/node_modules/b/c.js")).toBe(true);
    expect(isExcluded(["node_modules"], "/srv/www/a/node_modules")).toBe(true);
    expect(isExcluded(["node_modules"], "/srv/www/a/node_modules2/x")).toBe(false);
    expect(isExcluded(["/srv/www/cache"], "/srv/www/cache/a/b")).toBe(true);
    expect(isExcluded(["/srv/www/cache"], "/srv/www/cached")).toBe(false);
    expect(isExcluded(["re:/tmp[0-9]+$"], "/srv/www/tmp12/deep/x")).toBe(true);
  });

  test("never looks at the managed path itself or above it", () => {
    expect(isExcluded(["www", "srv", "re:^/srv$"], "/srv/www/a/index.html")).toBe(false);
    expect(isExcluded(["www"], "/srv/www/www/index.html")).toBe(true);
    const filter = excluding(["www", "*", "/srv/www", "re:."]);
    expect(filter.excludesDirectory("/srv/www")).toBe(false);
    expect(filter.excludesDirectory("/srv")).toBe(false);
    expect(filter.excludesEntry("/srv", "www")).toBe(false);
    expect(filter.excludesDirectory("/srv/wwwx")).toBe(false);
  });

  test("with a slash is compared with the absolute path, and stars match slashes", () => {
    expect(isExcluded(["/srv/www/*.tmp"], "/srv/www/a/b/x.tmp")).toBe(true);
    expect(isExcluded(["*/cache/*"], "/srv/www/a/cache/x")).toBe(true);
    expect(isExcluded(["*/cache/*"], "/srv/www/a/cache")).toBe(false);
    expect(isExcluded(["/srv/www/?/x"], "/srv/www/a/x")).toBe(true);
    expect(isExcluded(["/srv/{www,ftp}/x"], "/srv/www/x")).toBe(true);
  });

  test("takes a slash at the end, as a shell completes it, for the directory", () => {
    expect(isExcluded(["/srv/www/cache/"], "/srv/www/cache/x")).toBe(true);
    expect(isExcluded(["node_modules/"], "/srv/www/a/node_modules/x")).toBe(true);
  });

  test("re: is searched in the absolute path, unanchored", () => {
    expect(isExcluded(["re:\\.(swp|tmp)$"], "/srv/www/a/x.tmp")).toBe(true);
    expect(isExcluded(["re:www/a/.*x"], "/srv/www/a/b/x")).toBe(true);
    expect(isExcluded(["re:^x"], "/srv/www/x")).toBe(false);
    expect(isExcluded(["re:^/srv/www/a.b$"], "/srv/www/a\nb")).toBe(true);
  });

  test("sorts the alternatives of braces each for itself", () => {
    expect(isExcluded(["{*.swp,*/cache/x}"], "/srv/www/a.swp")).toBe(true);
    expect(isExcluded(["{*.swp,*/cache/x}"], "/srv/www/cache/x")).toBe(true);
    expect(isExcluded(["{*.swp,*/cache/x}"], "/srv/www/x")).toBe(false);
  });

  test("works below / as anywhere else", () => {
    expect(isExcluded(["/proc"], "/proc/1", "/")).toBe(true);
    expect(isExcluded(["/x"], "/x", "/")).toBe(true);
    expect(isExcluded(["x"], "/x", "/")).toBe(true);
    expect(isExcluded(["y"], "/x", "/")).toBe(false);
  });

  test("says whether paths must be built at all", () => {
    expect(excluding(["*.swp,a?c"]).hasPathPatterns).toBe(false);
    expect(excluding(["*.swp,*/x"]).hasPathPatterns).toBe(true);
    expect(excluding(["re:x"]).hasPathPatterns).toBe(true);
  });

  test("refuses what nothing below a managed path can match", () => {
    for (const pattern of ["build/*", "/", "//", "*.swp,/"]) {
      expect(() => excluding([pattern])).toThrow(UsageFailure);
      expect(() => excluding([pattern])).toThrow(`"${pattern.split(",").at(-1)}"`);
    }
  });
});

describe("--only-cmd and --exclude-cmd", () => {
  function wants(spec: { only?: string[]; exclude?: string[] }, comm: string | null): boolean {
    const filter = compileFilter(
      { ...NOTHING, onlyCmd: spec.only ?? [], excludeCmd: spec.exclude ?? [] },
      "/srv",
    );
    // Asked twice: the second answer comes out of the memory.
    const first = filter.wantsCommand(comm);
    expect(filter.wantsCommand(comm)).toBe(first);
    return first;
  }

  test("keep and leave out by name, case-sensitively", () => {
    expect(wants({ only: ["nginx,vim"] }, "vim")).toBe(true);
    expect(wants({ only: ["nginx,vim"] }, "Vim")).toBe(false);
    expect(wants({ only: ["nginx,vim"] }, "sh")).toBe(false);
    expect(wants({ exclude: ["rsync|apt*"] }, "apt-get")).toBe(false);
    expect(wants({ exclude: ["rsync|apt*"] }, "rsync")).toBe(false);
    expect(wants({ exclude: ["rsync|apt*"] }, "cp")).toBe(true);
    expect(wants({ only: ["re:^(ba)?sh$"] }, "bash")).toBe(true);
    expect(wants({ only: ["re:^(ba)?sh$"] }, "zsh")).toBe(false);
  });

  test("work together: kept and not left out", () => {
    expect(wants({ only: ["git*"], exclude: ["git-gc"] }, "git")).toBe(true);
    expect(wants({ only: ["git*"], exclude: ["git-gc"] }, "git-gc")).toBe(false);
    expect(wants({ only: ["git*"], exclude: ["git-gc"] }, "ssh")).toBe(false);
  });

  test("let an unknown program pass", () => {
    expect(wants({ only: ["nginx"] }, null)).toBe(true);
    expect(wants({ exclude: ["*"] }, null)).toBe(true);
  });

  test("match a name longer than the kernel's 15 bytes as typed", () => {
    expect(wants({ only: ["NetworkManager-dispatcher"] }, "NetworkManager-")).toBe(true);
    expect(wants({ exclude: ["NetworkManager-dispatcher"] }, "NetworkManager-")).toBe(false);
    expect(wants({ only: ["NetworkManager-dispatcher"] }, "NetworkManager")).toBe(false);
    expect(wants({ only: ["{vim,NetworkManager-dispatcher}"] }, "NetworkManager-")).toBe(true);
    expect(wants({ exclude: ["NetworkManager-d*"] }, "NetworkManager-")).toBe(false);
    expect(wants({ only: ["Network?anager-[a-d]*"] }, "NetworkManager-")).toBe(true);
    expect(wants({ only: ["Network?anager-[a-d]*"] }, "NetworkWanager_")).toBe(false);
    expect(wants({ exclude: ["systemd-*-generator"] }, "systemd-fstab-g")).toBe(false);
    expect(wants({ only: ["systemd-*-generator"] }, "systemd-fstab-g")).toBe(true);
  });

  test("cut by bytes, through a character if need be", () => {
    const comm = Buffer.from("größenrechner-überlang").subarray(0, 15).toString();
    expect(wants({ only: ["größenrechner-überlang"] }, comm)).toBe(true);
    const cut = Buffer.from("dreizehn-lang-ü-mehr").subarray(0, 15).toString();
    expect(cut).toBe("dreizehn-lang-\ufffd");
    expect(wants({ only: ["dreizehn-lang-ü-mehr"] }, cut)).toBe(true);
    expect(wants({ only: ["dreizehn-lang-ü*"] }, cut)).toBe(true);
    expect(wants({ exclude: ["dreizehn-lang-ü*"] }, cut)).toBe(false);
  });

  test("keep a cut name that only a star could complete, whichever the filter", () => {
    expect(wants({ only: ["*-helper"] }, "systemd-journal")).toBe(true);
    expect(wants({ exclude: ["*er"] }, "systemd-journal")).toBe(true);
    expect(wants({ only: ["x*-helper"] }, "systemd-journal")).toBe(false);
    // One byte less than 15 is the whole name.
    expect(wants({ only: ["*-helper"] }, "systemd-journa")).toBe(false);
  });

  test("remember a bounded number of names", () => {
    const filter = compileFilter({ ...NOTHING, onlyCmd: ["keep*"] }, "/srv");
    for (let round = 0; round < 5000; round++) {
      expect(filter.wantsCommand(`keep${round}`)).toBe(true);
      expect(filter.wantsCommand(`drop${round}`)).toBe(false);
    }
    const { knownCommands } = filter as unknown as { knownCommands: Map<string, boolean> };
    expect(knownCommands.size).toBeLessThanOrEqual(1024);
  });
});

test("--min-size judges known sizes alone", () => {
  const filter = compileFilter({ ...NOTHING, minSizeBytes: 1024 }, "/srv");
  expect([0, 1023, 1024, null].map((size) => filter.wantsSize(size))).toEqual([false, false, true, true]);
});

test("checkPatterns() refuses what runs away, which compileFilter() would take", () => {
  const spec = { ...NOTHING, onlyCmd: ["vim,re:^(a+)+$"] };
  compileFilter(spec, "/srv");
  expect(() => checkPatterns(spec)).toThrow('"re:^(a+)+$"');
  expect(() => checkPatterns({ ...NOTHING, exclude: ["x/y"] })).toThrow('"x/y"');
  checkPatterns({ ...NOTHING, exclude: ["*.swp", "re:\\.tmp$"] });
});
