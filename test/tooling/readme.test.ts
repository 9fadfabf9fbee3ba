// README.md and README.zh-CN.md say the same, and every link of both leads somewhere.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const top = join(import.meta.dir, "../..");
const page = (name: string) => readFileSync(join(top, name), "utf8");
const PAGES = ["README.md", "README.zh-CN.md"] as const;
const [english, chinese] = [page(PAGES[0]), page(PAGES[1])];

const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, "");
const levels = (text: string) => withoutCode(text).match(/^#+(?= )/gm);
/** What stands behind a # in a block of `sh` is for the reader, in the reader's language. */
const code = (text: string) =>
  text
    .match(/^```[\s\S]*?^```$/gm)!
    .map((block) => (block.startsWith("```sh") ? block.replace(/ +# .*/g, "") : block));
const links = (text: string) =>
  [...withoutCode(text).matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!);
/** Commands, options, paths: everything in backquotes. */
const literals = (text: string) => (withoutCode(text).match(/`[^`\n]+`/g) ?? []).sort();
const rows = (text: string) => withoutCode(text).match(/^\|/gm)!.length;

/** As the forges make them. */
function anchors(text: string): string[] {
  return [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("the two READMEs", () => {
  test("have the same headings, code, tables, and words that are typed", () => {
    expect(levels(chinese)).toEqual(levels(english));
    expect(code(chinese)).toEqual(code(english));
    expect(rows(chinese)).toBe(rows(english));
    expect(literals(chinese)).toEqual(literals(english));
  });

  test("link each other at the top, and the same pages", () => {
    const elsewhere = (text: string) =>
      links(text).filter((link) => !link.startsWith("#") && !PAGES.includes(link as never));
    expect(english.slice(0, 100)).toContain("](README.zh-CN.md)");
    expect(chinese.slice(0, 100)).toContain("](README.md)");
    expect(elsewhere(chinese).sort()).toEqual(elsewhere(english).sort());
  });

  test.each([...PAGES])("every link of %s leads to a file, and to a heading in it", (name) => {
    for (const link of links(page(name))) {
      const [file, anchor] = link.split("#");
      expect(existsSync(join(top, file || name)), link).toBe(true);
      if (anchor !== undefined) expect(anchors(page(file || name)), link).toContain(anchor);
    }
  });

  test("every page of docs/ is linked", () => {
    for (const name of readdirSync(join(top, "docs"))) expect(english).toContain(`](docs/${name})`);
  });
});
