// One question of the benchmark: its table, and how its figures stand against what was set as the goal.

export interface Goal {
  what: string;
  /** What was set. */
  goal: string;
  /** What was measured. */
  figure: string;
  met: boolean;
}

export interface Answer {
  text: string;
  goals: readonly Goal[];
}

export interface Section {
  readonly name: string;
  readonly title: string;
  /** @param rounds how often each figure is taken */
  run(rounds: number): Promise<Answer>;
}

/** A goal that is a highest value. */
export function atMost(what: string, limit: number, value: number, unit: string, digits = 1): Goal {
  return {
    what,
    goal: `≤ ${limit} ${unit}`,
    figure: `${value.toFixed(digits)} ${unit}`,
    met: value <= limit,
  };
}

/** A goal that is a lowest value. */
export function atLeast(what: string, limit: number, value: number, unit: string, digits = 1): Goal {
  return {
    what,
    goal: `≥ ${limit} ${unit}`,
    figure: `${value.toFixed(digits)} ${unit}`,
    met: value >= limit,
  };
}
