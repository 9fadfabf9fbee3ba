// Waiting for a condition, never for a fixed time.

const POLL_MS = 5;
/** Only a fault takes so long: a slow machine that is busy as well gets there. Less than one test may take (scripts/test.mjs). */
const PATIENCE_MS = 120_000;

/**
 * @param what names the condition in the failure
 * @param explain is asked for details when the time is over
 */
export async function until<T>(
  what: string,
  condition: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  explain: () => string = () => "",
): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value;
    if (performance.now() > endMs) throw new Error(`Waited ${PATIENCE_MS} ms in vain: ${what}\n${explain()}`);
    await Bun.sleep(POLL_MS);
  }
}
