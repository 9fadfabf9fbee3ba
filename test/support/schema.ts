// Every line that a test reads is checked against docs/event.schema.json, and against what JSON Schema can't say: which keys come
// first and in which order, and that no control character stands in the text.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";

const FIRST_KEYS = ["time", "event_type", "path", "pid", "cmd", "user", "file_size", "monitored_path"];

const schema: unknown = JSON.parse(
  readFileSync(join(import.meta.dir, "../../docs/event.schema.json"), "utf8"),
);
const validate = new Ajv2020({ allowUnionTypes: true, strictTypes: false }).compile(schema as object);

/** @throws when the text is not a line as docs/events.md specifies it */
export function parseLine(text: string): Record<string, unknown> {
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text))
    throw new Error(`A control character in the line ${JSON.stringify(text)}`);
  const line = JSON.parse(text) as Record<string, unknown>;
  const keys = Object.keys(line).slice(0, FIRST_KEYS.length);
  if (keys.join() !== FIRST_KEYS.join()) throw new Error(`The first keys are ${keys.join()} in ${text}`);
  if (!validate(line)) throw new Error(`${text}\nis not as specified: ${JSON.stringify(validate.errors)}`);
  return line;
}
