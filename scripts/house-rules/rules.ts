// The house rules that no kept linter knows: each one says what is wrong and what to write instead. To add one, write a
// function from a Source to its findings, put it into RULES, and give it a test in test/tooling/house-rules.test.ts.
import type { Finding } from "./finding.ts";
import { folderImports } from "./folders.ts";
import { lineAt, type Source } from "./source.ts";

export type Rule = (file: Source) => Finding[];

/** Three screens read well; beyond this a file is two files. */
const LINES_MAX = 350;
/** Longer files, each with the reason why it stays one. */
const LONGER_FILES: Readonly<Record<string, { lines: number; reason: string }>> = {
  "c/fanhelp.c": {
    lines: 1800,
    reason: "one compilation unit: system calls side by side, no logic between them",
  },
};

const inSrc = (file: Source) => file.path.startsWith("src/");
const isTest = (file: Source) => file.path.startsWith("test/");
const inCli = (file: Source) => file.path === "src/main.ts" || file.path.startsWith("src/cli/");

/** A rule that looks for a pattern in some files. */
function forbid(
  applies: (file: Source) => boolean,
  look: "text" | "withoutComments" | "codeOnly",
  pattern: RegExp,
  wrong: string,
  instead: string,
): Rule {
  return (file) => {
    if (!applies(file)) return [];
    const matches = [...file[look].matchAll(pattern)];
    return matches.map(({ index }) => ({ path: file.path, line: lineAt(file.text, index), wrong, instead }));
  };
}

const fileLength: Rule = ({ path, lines }) => {
  if (!/^(src|c)\//.test(path)) return [];
  const max = LONGER_FILES[path]?.lines ?? LINES_MAX;
  if (lines <= max) return [];
  return [
    {
      path,
      line: max + 1,
      wrong: `${lines} lines, at most ${max}`,
      instead: "cut it where it holds two ideas",
    },
  ];
};

const fileNames: Rule = ({ path }) => {
  const vague = /(?:^|[/_-])(utils?|common|helpers|misc)(?=[./_-]|$)/.exec(path)?.[1];
  if (vague === undefined) return [];
  const instead = "a name that says what it does in the flow";
  return [{ path, line: 1, wrong: `"${vague}" as a name says nothing`, instead }];
};

const opensWithComment: Rule = (file) => {
  // A test's names are its claims: they say it better.
  if (isTest(file) || !/\.(ts|mjs|c)$/.test(file.path) || /^(#!.*\n)?(\/\/|\/\*)/.test(file.text)) return [];
  const instead = "two to five lines: what enters, what leaves, what it must never do";
  return [{ path: file.path, line: 1, wrong: "the file doesn't open with a comment", instead }];
};

const importsWithExtension: Rule = ({ path, imports }) =>
  imports
    .filter(({ target }) => target !== null && !/\.\w+$/.test(target))
    .map(({ specifier, line }) => ({
      path,
      line,
      wrong: `"${specifier}" has no extension`,
      instead: `"${specifier}.ts"`,
    }));

const ffiInKernelOnly: Rule = ({ path, imports }) =>
  imports
    .filter(
      ({ specifier }) =>
        specifier === "bun:ffi" && path.startsWith("src/") && !path.startsWith("src/kernel/"),
    )
    .map(({ line }) => ({
      path,
      line,
      wrong: "bun:ffi outside src/kernel",
      instead: "a function in src/kernel that takes and returns plain values",
    }));

const colourOnDemand: Rule = ({ path, imports }) =>
  imports
    .filter(({ specifier, dynamic, typeOnly }) => specifier === "picocolors" && !dynamic && !typeOnly)
    .map(({ line }) => ({
      path,
      line,
      wrong: "picocolors imported statically: that alone makes a pipe on stdout non-blocking",
      instead: 'await import("picocolors"), once colour is wanted',
    }));

/** Each takes a short command, which starts in 8 ms, 1 to 3 ms more. */
const SLOW_TO_LOAD = new Set(["node:crypto", "node:net", "node:stream", "node:tty", "node:zlib"]);

const quickToStart: Rule = ({ path, imports }) =>
  imports
    .filter(({ specifier, dynamic, typeOnly }) => SLOW_TO_LOAD.has(specifier) && !dynamic && !typeOnly)
    .filter(() => path.startsWith("src/"))
    .map(({ line, specifier }) => ({
      path,
      line,
      wrong: `${specifier} imported statically: every command that loads this file starts 1 to 3 ms later`,
      instead: "src/show/is-terminal.ts, the global crypto, or process.getBuiltinModule() where it is needed",
    }));

/** bun prints the name of a test that was skipped, so the name carries the reason. */
const noSilentSkip: Rule = (file) => {
  if (!isTest(file)) return [];
  const switchedOff = /\b(?:test|it|describe)\s*\.\s*(skip|todo|only|if|skipIf|todoIf|failing)\b/g;
  return [...file.codeOnly.matchAll(switchedOff)]
    .filter(({ 1: how, index }) => how !== "skipIf" || !NEEDS.test(file.text.slice(index)))
    .map(({ index }) => ({
      path: file.path,
      line: lineAt(file.text, index),
      wrong: "a test that doesn't always run, and nobody learns why",
      instead: 'test.skipIf(!asRoot)("claim (needs root)", …), or no test at all',
    }));
};

/** The condition, then a name that says what the test needs. */
const NEEDS = /^\w+\s*\.\s*skipIf\([^\n]*\)\(\s*["'`][^\n]*\(needs [^)]+\)["'`]/;

export const RULES: readonly Rule[] = [
  folderImports,
  fileLength,
  fileNames,
  opensWithComment,
  importsWithExtension,
  ffiInKernelOnly,
  colourOnDemand,
  quickToStart,
  forbid(
    inSrc,
    "codeOnly",
    /(?<![.\w$])any\b(?!\s*[:(?])/g,
    "the type any",
    "unknown and a check, or the type itself; what a library gives as any is converted where it enters",
  ),
  forbid(
    (file) => inSrc(file) || isTest(file),
    "text",
    /@ts-(ignore|nocheck|expect-error)/g,
    "a type error silenced",
    "the type that fits, or a declaration file",
  ),
  forbid(
    (file) => inSrc(file) && !inCli(file),
    "codeOnly",
    /\bprocess\s*\.\s*exit\b(?!Code)/g,
    "process.exit outside src/main.ts and src/cli",
    "throw a Failure, or return; main.ts turns it into the exit code",
  ),
  forbid(
    inSrc,
    "codeOnly",
    /\bprocess\s*\.\s*stdout\b/g,
    "process.stdout: touching it makes a pipe non-blocking, and output is lost",
    "write with src/cli/output.ts; src/show/is-terminal.ts tells a terminal",
  ),
  forbid(
    (file) => inSrc(file) && file.path !== "src/cli/output.ts",
    "codeOnly",
    /\bconsole\s*\.\s*(log|info|debug|table|dir)\b/g,
    "console.log writes to stdout and swallows EPIPE",
    "src/cli/output.ts for data, console.error for talk",
  ),
  noSilentSkip,
  forbid(
    () => true,
    "text",
    // Spelled apart so that this file doesn't find itself.
    new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`, "g"),
    "a note to do it later",
    "do it now, or file an issue",
  ),
];
