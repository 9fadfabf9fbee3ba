// A daemon run from source in which a part fails when it is told to: for fault.test.ts. What fails is put in here from outside;
// the daemon itself knows of no such thing. Arguments: which fault, HOME.
import { loadConfig } from "../../src/config/config.ts";
import { findOwner } from "../../src/config/owner.ts";
import { defaultPlaces } from "../../src/config/places.ts";
import { Upkeep } from "../../src/daemon/upkeep.ts";
import { runDaemon } from "../../src/daemon.ts";
import { LineMaker } from "../../src/pipeline/lines.ts";

const [fault = "", home = ""] = process.argv.slice(2);
const env = { HOME: home };

function breakDown(): never {
  throw new TypeError(`made to fail: ${fault}`);
}

if (fault === "at the start") LineMaker.prototype.make = breakDown;
// Beside it: nobody calls this but a timer.
if (fault === "in a timer") Upkeep.prototype.seal = breakDown;
if (fault === "in a promise")
  Upkeep.prototype.seal = () => void Promise.reject(new TypeError(`made to fail: ${fault}`)) as never;

// Something that keeps a process alive: half alive is what a faulty daemon must not stay.
setInterval(() => {}, 60_000);

const owner = findOwner({ env });
const places = { ...defaultPlaces(owner, env, true), socketPath: `${home}/control.sock` };
const config = loadConfig({ owner, env, places });
if (fault === "in a timer" || fault === "in a promise") {
  setTimeout(() => Upkeep.prototype.seal.call(undefined as never, ""), 300);
}
process.exitCode = await runDaemon({
  owner,
  places,
  flags: {},
  config,
  version: "test",
  commit: "test",
  identify: null,
  debug: false,
  say(sentence) {
    process.stderr.write(`${sentence}\n`);
    if (fault === "in the pipeline" && sentence.startsWith("watching")) LineMaker.prototype.make = breakDown;
  },
  endNow: () => process.exit(1),
});
