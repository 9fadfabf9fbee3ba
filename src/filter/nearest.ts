// The known word that a mistyped one most resembles: for unknown commands, options, event types and config keys.
// Words enter, one of the candidates or null leaves. Never suggests something that shares nothing with the word.

/**
 * The candidate with the smallest edit distance, upper and lower case taken as equal; the first of several equals.
 *
 * @returns null when none is near: more than a third of the word would have to change
 */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const typed = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    // A beginning of at least three letters counts as one change: "recurs" means "recursive".
    const begins = typed.length >= 3 && known.startsWith(typed);
    const distance = begins && known !== typed ? 1 : editDistance(typed, known, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours; at least `enough` is returned as `enough`. */
function editDistance(a: string, b: string, enough: number): number {
  if (Math.abs(a.length - b.length) >= enough) return enough;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let least = row;
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
      least = Math.min(least, cost);
    }
    // It never becomes less further down: thousands of managed paths are compared with one word.
    if (least >= enough) return enough;
    beforeLast = last;
    last = current;
  }
  return Math.min(last[b.length] ?? 0, enough);
}
