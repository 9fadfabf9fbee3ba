// fsmon-events.5 from docs/events.md: headings, paragraphs, tables and code as man(7) has them. A table becomes a list: cells of three lines
// read badly in a terminal's columns.
import { readFileSync } from "node:fs";
import manifest from "../../../package.json" with { type: "json" };
import { sourceTime } from "../tar.ts";
import { argument, example, guarded, opening, roffMarkdown } from "./roff.ts";

export function eventsPage(): string {
  const markdown = readFileSync("docs/events.md", "utf8");
  const lines = [
    ...opening("FSMON-EVENTS", 5, sourceTime(), manifest.version, "File Formats"),
    ".SH NAME",
    "fsmon\\-events \\- the lines of fsmon\\(aqs logs",
    ".SH DESCRIPTION",
    ...blocksOf(markdown).flatMap(blockLines),
    ".SH SEE ALSO",
    "\\fBfsmon\\fR(1), \\fBfanotify\\fR(7)",
  ];
  return `${lines.join("\n")}\n`;
}

/** Pieces between empty lines; code keeps its own. */
function blocksOf(markdown: string): string[] {
  return markdown
    .split(/^(```[\s\S]*?^```)$/m)
    .flatMap((piece) => (piece.startsWith("```") ? [piece] : piece.split(/\n{2,}/)))
    .map((piece) => piece.replace(/^\n+|\n+$/g, ""))
    .filter((piece) => piece !== "");
}

function blockLines(block: string): string[] {
  const [first = "", ...rest] = block.split("\n");
  // The page's own title is its NAME.
  if (first.startsWith("# ")) return [];
  const heading = /^(##+) (.*)$/.exec(first);
  if (heading !== null) {
    const macro = heading[1] === "##" ? ".SH" : ".SS";
    const below = rest.join("\n");
    const title = (heading[2] ?? "").replaceAll("`", "");
    return [
      `${macro} ${argument(macro === ".SH" ? title.toUpperCase() : title)}`,
      ...(below === "" ? [] : blockLines(below)),
    ];
  }
  if (first.startsWith("```")) return example(rest.slice(0, -1));
  if (first.startsWith("|")) return tableLines([first, ...rest]);
  if (/^[-*] /.test(first)) {
    const items = block.split(/\n(?=[-*] )/).map((item) => item.slice(2).replaceAll("\n", " "));
    return items.flatMap((item) => [".IP \\(bu 2", roffMarkdown(item)]);
  }
  return [".PP", roffMarkdown(block.replaceAll("\n", " "))];
}

function tableLines(rows: readonly string[]): string[] {
  const [head = [], , ...body] = rows.map(cellsOf);
  return body.flatMap((cells) => {
    const [term = "", ...others] = cells;
    const lines = others.flatMap((cell, i) => {
      const name = head[i + 1] ?? "";
      if (cell === "" || cell === "–") return [];
      return [guarded(roffMarkdown(name === "" ? cell : `${capitalised(name)}: ${cell}`)), ".br"];
    });
    return [".TP", roffMarkdown(term), ...lines.slice(0, -1)];
  });
}

/** Bars within code don't part cells. */
function cellsOf(row: string): string[] {
  const cells = row.replace(/^\||\|$/g, "").split(/(?<!\\)\|(?=(?:[^`]*`[^`]*`)*[^`]*$)/);
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
