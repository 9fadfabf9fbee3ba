// Containment of absolute paths, by components: /data/ab is not below /data/a.

/** @param above absolute, without a slash at its end (but for "/") */
export function isAtOrBelow(path: string, above: string): boolean {
  if (above === "/") return path.startsWith("/");
  return path === above || path.startsWith(`${above}/`);
}
