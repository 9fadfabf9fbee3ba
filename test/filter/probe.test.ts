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
  // What runs away only on several characters in a row, over and over.
  "(?:%[0-9A-F]{2}|%[0-9A-F]{2}%[0-9A-F]{2})+#$",
  "/(foo|bar|foobar)+\\.o$",
  "^/(srv|var)/(foo|foobar|bar)+\\.o$",
  "(ab|c|a|bc)+!",
  "(?:(?:a|foo)x|(?:b|foo)x)+$",
  "(?:[a-m]\\d|[k-z]\\d)+!",
  "^(?:x|y(ab|abab)+)$",
  "(?:abc)*(?:abc)*(?:abc)*(?:abc)*#$",
  "([0-9]{8}|[0-9]{16})+x",
  "(?<=^(?:ab|abab)+)!",
  "((?:\\d\\d)?(?:\\d\\d)?)+x",
  // What only the end of the text stops.
  "(foo|foofoo)+.$",
];
for (const source of RUNAWAYS) {
  test(`refuseRunaway() refuses ${source} before it runs away itself`, () => {
    const startMs = performance.now();
    let refused: unknown;
    try {
      refuseRunaway(new RegExp(source, "su"), `re:${source}`);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(UsageFailure);
    expect(String(refused)).toContain(`"re:${source}"`);
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
  "(?:%[0-9A-F]{2})+$",
  "/(foo|bar|baz)+\\.o$",
  "^(?:[a-z]+-)*[a-z]+$",
  "^/home/[^/]+/(\\.cache|\\.mozilla|\\.local/share/Trash)/",
];
for (const source of HONEST) {
  test(`refuseRunaway() lets ${source} pass`, () => {
    refuseRunaway(new RegExp(source, "su"), `re:${source}`);
  });
}
