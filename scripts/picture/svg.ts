// What a program wrote to a terminal → an SVG that looks like it. Text with SGR colours goes in, a picture without scripts and fonts
// of its own comes out.

const CHARACTER_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const PADDING = 16;
const BAR_HEIGHT = 30;

const COLOURS: Readonly<Record<number, string>> = {
  31: "#ff7b72",
  32: "#7ee787",
  33: "#e3b341",
  34: "#79c0ff",
  35: "#d2a8ff",
  36: "#56d4dd",
};

interface Style {
  colour: string | null;
  bold: boolean;
  dim: boolean;
}

/** @param columns of the terminal */
export function terminalSvg(text: string, columns: number, title: string): string {
  const lines = text.replaceAll("\r", "").replace(/\n+$/, "").split("\n");
  const width = Math.ceil(columns * CHARACTER_WIDTH + 2 * PADDING);
  const height = BAR_HEIGHT + lines.length * LINE_HEIGHT + PADDING;
  const rows = lines.map((line, i) => {
    const y = BAR_HEIGHT + (i + 1) * LINE_HEIGHT - 5;
    return `<text x="${PADDING}" y="${y}" xml:space="preserve">${spans(line)}</text>`;
  });
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
    (colour, i) => `<circle cx="${PADDING + 4 + i * 18}" cy="15" r="5.5" fill="${colour}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escaped(title)}</title>
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#c9d1d9;white-space:pre}.b{font-weight:bold;fill:#f0f6fc}.d{fill:#8b949e}</style>
<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>
${dots.join("")}<text x="${width / 2}" y="20" text-anchor="middle" class="d">${escaped(title)}</text>
${rows.join("\n")}
</svg>
`;
}

function spans(line: string): string {
  const style: Style = { colour: null, bold: false, dim: false };
  let out = "";
  let columns = 0;
  for (const part of line.split(/(\x1b\[[\d;]*m)/)) {
    const codes = /^\x1b\[([\d;]*)m$/.exec(part)?.[1];
    if (codes === undefined) {
      if (part !== "") out += span(part, style, columns);
      columns += Bun.stringWidth(part);
    } else {
      for (const code of codes.split(";")) apply(Number(code), style);
    }
  }
  return out;
}

function apply(code: number, style: Style): void {
  if (code === 0 || code === 22) style.bold = style.dim = false;
  if (code === 0 || code === 39) style.colour = null;
  if (code === 1) style.bold = true;
  if (code === 2) style.dim = true;
  if (COLOURS[code] !== undefined) style.colour = COLOURS[code];
}

/** Each at its own place, so that a font of another width shifts nothing. */
function span(text: string, style: Style, columns: number): string {
  const kind = style.bold ? ' class="b"' : style.dim ? ' class="d"' : "";
  const fill = style.colour === null ? "" : ` style="fill:${style.colour}"`;
  const x = (PADDING + columns * CHARACTER_WIDTH).toFixed(1);
  const length = (Bun.stringWidth(text) * CHARACTER_WIDTH).toFixed(1);
  return `<tspan x="${x}" textLength="${length}"${kind}${fill}>${escaped(text)}</tspan>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
