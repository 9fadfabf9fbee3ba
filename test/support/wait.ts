// Waiting for a condition, never for a fixed time.

const POLL_MS = 5;

/**
 * @param what names the condition in the failure
 * @param explain is asked for details when the time is over
 */
export async function until<T>(
  what: string,
  condition: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  timeoutMs = 20_000,
  explain: () => string = () => "",
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value;
    if (performance.now() > endMs) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}\n${explain()}`);
    await Bun.sleep(POLL_MS);
  }
}
