import * as v from 'valibot';
import { parseBoundedJson } from './bounded-json.ts';
import { messageOf, TraceError } from './errors.ts';
import { KINDS } from './kinds.ts';
import { TRACE_FILE_VERSION } from './part-names.ts';

// Beside manifest.ts and not in it: a recording that starts writes a manifest, and need not load what checks one.

/** ns or ms: JSON can write numbers that are infinite. */
const Time = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(2 ** 63));
const Pid = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Twice what a recorder keeps of processes that have ended (`RETENTION` of src/record/retention.ts). */
const MOST_PROCESSES = 20_000;

const ManifestProcessSchema = v.object({
  /** Names the parts of this process: its pid, or "PID-2" when the pid was used twice. */
  id: v.pipe(v.string(), v.regex(/^[\w.-]+$/)),
  pid: Pid,
  parentPid: Pid,
  name: v.string(),
  commandLine: v.string(),
  /** For example ".NET 10.0.12". */
  runtime: v.string(),
  /** Monotonic ns at which the process was seen first and last. */
  startTime: Time,
  endTime: v.optional(Time),
  /** How it ended, in words. */
  exit: v.optional(v.string()),
  /** What in its environment keeps its runtime from telling anything, for example "DOTNET_EnableDiagnostics=0". */
  diagnosticsOff: v.optional(v.string()),
  /** Part names of its event streams. */
  streams: v.array(v.string()),
  /** Part names of its agent's files, one for each program it was; looks at one are beside it, `.looks`. */
  native: v.optional(v.array(v.string()), []),
});

/** As in the model; times are monotonic, and left out where there is no bound. */
const ManifestBlindSpotSchema = v.object({
  /** Id of the process; left out: all. */
  process: v.optional(v.string()),
  kinds: v.array(v.picklist(KINDS)),
  from: v.optional(v.number()),
  to: v.optional(v.number()),
  effect: v.picklist(['absent', 'inexact', 'note']),
  text: v.string(),
});

const ManifestSchema = v.object({
  format: v.literal('memsurge'),
  version: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** The tool that wrote it, for example "memsurge 0.1.0". */
  tool: v.string(),
  state: v.picklist(['recording', 'complete']),
  mode: v.picklist(['run', 'attach']),
  command: v.array(v.string()),
  /** ms since 1970 and monotonic ns of the same moment, time 0 of the trace. */
  startedAt: Time,
  startTime: Time,
  endTime: v.optional(Time),
  processes: v.pipe(
    v.array(ManifestProcessSchema),
    v.maxLength(MOST_PROCESSES, ({ requirement }) => `more than ${requirement} processes`),
    // What is named twice would count twice.
    v.check((processes) => areUnique(processes.map(({ id }) => id)), 'a process is in it twice'),
    v.check(
      (processes) => areUnique(processes.flatMap((one) => [...one.streams, ...one.native])),
      'a part is in it twice',
    ),
  ),
  /** Plain sentences about what went wrong while recording. */
  warnings: v.array(v.string()),
  /** What was not recorded, as far as only the recorder knows it. */
  blindSpots: v.optional(v.array(ManifestBlindSpotSchema), []),
});

const areUnique = (names: readonly string[]) => new Set(names).size === names.length;

export type Manifest = v.InferOutput<typeof ManifestSchema>;
export type ManifestProcess = v.InferOutput<typeof ManifestProcessSchema>;

/**
 * The manifest in `text`; `source` names the trace in errors.
 * @throws TraceError when it is not a manifest or was written by a newer memsurge.
 */
export function parseManifest(text: string, source: string): Manifest {
  let json: unknown;
  try {
    json = parseBoundedJson(text);
  } catch (error) {
    throw new TraceError(`${source}: the manifest is not readable (${messageOf(error)}); the trace is damaged`);
  }
  const version = (json as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > TRACE_FILE_VERSION) {
    throw new TraceError(
      `${source} was written in trace format ${version}, this memsurge reads up to ${TRACE_FILE_VERSION}; update memsurge`,
    );
  }
  const result = v.safeParse(ManifestSchema, json);
  if (!result.success) {
    const issue = result.issues[0];
    throw new TraceError(`${source}: the manifest is not valid (${v.getDotPath(issue) ?? 'root'}: ${issue.message})`);
  }
  return result.output;
}
