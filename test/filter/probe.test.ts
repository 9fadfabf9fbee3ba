import { expect, test } from "bun:test";
import { UsageFailure } from "../../src/failure.ts";
import { refuseRunaway } from "../../src/filter/probe.ts";

const RUNAWAYS = [
  "(a+)+$",
  "^(a|a)*$",
  "(.*a){12}$",
  "^/var/(x+x+)+y",
  "(\\w+\\s?)*\\.x$",
  "([a-z]+)*\\.tmp$",
  "^(.*?,){11}P",
  "(.+)+x",
  "^/data/(\\d+)*z",
  "(é+)+$",
  // What the characters in the source alone don't show.
  "(\\x41+)+$",
  "(\\u{51}+)+$",
  "(\\cA+)+$",
  "(\\n+)*!",
  "(\\W+)+$",
  "([^\\w/]+)*$",
  "([^a-z0-9/ ]+)+$",
  "([\\x80-\\xff]+)*$",
  "([^\\x00-\\x7f]+)+!",
  "(\\.|[^a])+$",
  "^/srv/[a-z]+/([K-M]+\\.?)+\\.bak$",
  "^/[a-z]{3}/(?:[A-M]|[G-Z])+$",
  "^/log/\\d{4}-\\d{2}(-?[K-M]+)+\\.gz$",
  "(?<=^(Q+)+)!",
];
for (const source of RUNAWAYS) {
  test(`refuseRunaway() refuses ${source} before it runs away itself`, () => {
    const startMs = performance.now();
    expect(() => refuseRunaway(new RegExp(source, "su"), `re:${source}`)).toThrow(UsageFailure);
    expect(() => refuseRunaway(new RegExp(source, "su"), `re:${source}`)).toThrow(`"re:${source}"`);
    expect(performance.now() - startMs).toBeLessThan(4000);
  });
}

const HONEST = [
  "^nginx$",
  ".*\\.swp$",
  "[^/]*\\.swp$",
  "\\w+\\.tmp",
  "^/srv/www/[^/]+/(node_modules|\\.git)(/.*)?$",
  "\\.(swp|swx|tmp)~?$",
  "^kworker/\\d+:\\d+",
  "(?:/[^/]+)+\\.log$",
  "(?<![a-z])[\\p{L}]+$",
  "^.{4000,}$",
];
for (const source of HONEST) {
  test(`refuseRunaway() lets ${source} pass`, () => {
    refuseRunaway(new RegExp(source, "su"), `re:${source}`);
  });
}
