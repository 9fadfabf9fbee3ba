// Text → the man(7) macros. Everything that a page says passes through here, so that nothing in it is taken for a command.

/** Text as it is shown: backslashes, and what begins a line as a request, made harmless. Hyphens stay minus signs, to be copied. */
export function roff(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    // groff has no substitute for it where the locale is C.
    .replaceAll("…", "...");
  // A quote or dot at the beginning of a line is a request; an apostrophe anywhere would become a typographic one.
  return escaped
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replace(/^(?=\.)/gm, "\\&");
}

/** Markdown within a line: `code` and **strong** are bold, a link is its text. */
export function roffMarkdown(markdown: string): string {
  const parts = markdown
    .replace(/\[([^\]]+)\]\([^)]+\)/g, "$1")
    .split(/(`[^`]+`|\*\*[^*]+\*\*)/)
    .filter((part) => part !== "");
  return guarded(
    parts
      .map((part) => {
        if (part.startsWith("`")) return bold(part.slice(1, -1));
        if (part.startsWith("**")) return bold(part.slice(2, -2));
        return roffInline(part);
      })
      .join(""),
  );
}

export function bold(text: string): string {
  return `\\fB${roffInline(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${roffInline(text)}\\fR`;
}

/** A line that may begin with anything. */
export function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

function roffInline(text: string): string {
  return roff(text).replace(/^\\&/, "");
}

/** The argument of a macro. */
export function argument(text: string): string {
  return `"${roffInline(text).replaceAll('"', "\\(dq")}"`;
}

/**
 * What a page begins with: its title, and words that are never hyphenated, because names are copied.
 *
 * @param date seconds since 1970
 */
export function opening(
  name: string,
  section: number,
  date: number,
  version: string,
  manual: string,
): string[] {
  const day = new Date(date * 1000).toISOString().slice(0, 10);
  const words = [name, String(section), day, `fsmon ${version}`, manual];
  return [`.TH ${words.map(argument).join(" ")}`, ".nh", ".ad l"];
}

/** Lines exactly as they are. */
export function example(lines: readonly string[]): string[] {
  return [".PP", ".RS 4", ".nf", ...lines.map((line) => guarded(roff(line))), ".fi", ".RE"];
}
