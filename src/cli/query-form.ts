// The forms of a query's answer that are for a person: rows, and events in numbers. Lines of a log enter, text leaves. Loaded when
// one of them is asked for: a query that prints the lines as they stand doesn't pay for them.
import type { ByteSink } from "../query/query.ts";
import { coloursFor } from "../show/colour.ts";
import { LineCutter } from "../show/lines.ts";
import { EventRows } from "../show/rows.ts";
import { statsJson } from "../stats/json.ts";
import { StatsSink } from "../stats/stats.ts";
import { statsText } from "../stats/text.ts";
import type { ParsedArguments } from "./parse.ts";
import { stdoutColumns } from "./terminal.ts";

/** Takes lines, and is told when there are no more. */
export interface FormSink extends ByteSink {
  end(): void;
}

/** What `--stats` or `--format text` asks for. */
export async function formSink(args: ParsedArguments, stdout: ByteSink): Promise<FormSink> {
  const colours = await coloursFor(1, args.has("no-color"));
  if (args.has("stats")) {
    const stats = new StatsSink();
    return {
      write: (bytes) => stats.write(bytes),
      end() {
        const summary = stats.summary();
        const text = args.has("json")
          ? `${statsJson(summary)}\n`
          : statsText(summary, colours, stdoutColumns());
        stdout.write(Buffer.from(text, "utf8"));
      },
    };
  }
  const rows = new EventRows({ colours, columns: stdoutColumns, dated: true, onlyPath: () => null });
  let text = "";
  const lines = new LineCutter((keys, timeMs) => {
    text += rows.row(keys, timeMs);
  });
  const flush = () => {
    const bytes = Buffer.from(text, "utf8");
    text = "";
    return bytes.length === 0 || stdout.write(bytes);
  };
  return {
    write(bytes) {
      lines.write(bytes);
      return flush();
    },
    end() {
      lines.end();
      flush();
    },
  };
}
