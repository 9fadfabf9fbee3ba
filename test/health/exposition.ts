// A strict reader of Prometheus's text exposition format 0.0.4: what it accepts, every other one does.

export interface Family {
  type: "gauge" | "counter";
  samples: { labels: Record<string, string>; value: number }[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/y;
const VALUE = /^[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf|NaN)$/i;

/** @throws at the first thing that isn't allowed */
export function parseMetrics(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("The last line has no newline");
  const families = new Map<string, Family>();
  let helped = "";
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP (\S+) ((?:[^\\]|\\\\|\\n)+)$/.exec(line);
    const type = /^# TYPE (\S+) (gauge|counter)$/.exec(line);
    if (help !== null) {
      if (current !== "" && families.get(current)?.samples.length === 0)
        throw new Error(`${current} is empty`);
      helped = help[1]!;
      current = "";
    } else if (type !== null) {
      const [, name = "", kind] = type;
      if (name !== helped || !NAME.test(name) || families.has(name)) throw new Error(`Misplaced: ${line}`);
      if ((kind === "counter") !== name.endsWith("_total")) throw new Error(`Badly named: ${line}`);
      families.set(name, { type: kind as Family["type"], samples: [] });
      current = name;
    } else {
      addSample(families, current, line);
    }
  }
  if (families.get(current)?.samples.length === 0) throw new Error(`${current} is empty`);
  return families;
}

function addSample(families: Map<string, Family>, current: string, line: string): void {
  const match = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`No sample: ${line}`);
  const [, name = "", labelText, valueText = ""] = match;
  const family = families.get(name);
  if (name !== current || family === undefined) throw new Error(`Outside its family: ${line}`);
  if (!VALUE.test(valueText)) throw new Error(`No number: ${line}`);
  const labels: Record<string, string> = {};
  if (labelText !== undefined) {
    LABEL.lastIndex = 0;
    while (LABEL.lastIndex < labelText.length) {
      const label = LABEL.exec(labelText);
      if (label === null) throw new Error(`Labels: ${line}`);
      labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, one: string) => (one === "n" ? "\n" : one));
    }
  }
  const same = JSON.stringify(labels);
  if (family.samples.some((sample) => JSON.stringify(sample.labels) === same))
    throw new Error(`Twice: ${line}`);
  family.samples.push({ labels, value: Number(valueText) });
}
