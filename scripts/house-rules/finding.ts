// What a rule has to say about a place, and how it is printed: what is wrong, and what to write instead.

export interface Finding {
  path: string;
  /** From 1. */
  line: number;
  wrong: string;
  instead: string;
}

/** Two lines, the first one in the form that editors make a link of. */
export function findingText({ path, line, wrong, instead }: Finding): string {
  return `${path}:${line}: ${wrong}\n  instead: ${instead}`;
}
