import * as v from 'valibot';
import { parseBoundedJson } from '../trace/bounded-json.ts';
import { messageOf, TraceError } from '../trace/errors.ts';

/** Version of symbols.json; the trace file's own version says which memsurge may read it. */
const BUNDLE_VERSION = 1;

const integer = v.pipe(v.number(), v.integer());
const integers = v.array(integer);

/** Sequence points of a method that stacks use: parallel columns, ascending by IL offset. */
const MethodSchema = v.object({
  /** MethodDef token. */
  token: integer,
  /** First and last line of the method in the file it starts in, 1-based. */
  firstLine: integer,
  lastLine: integer,
  il: integers,
  /** 0 for a hidden point. */
  line: integers,
  /** Row of `files`. */
  file: integers,
  /** IL offsets of calls and of allocations, ascending; empty when the IL could not be read. */
  calls: integers,
  allocations: integers,
  /** Of `il`, those that the code before never goes on to, ascending; absent in files of older versions. */
  apart: v.optional(integers),
  /** Type and name of the method that a state machine was made from, where its own name does not say it. */
  writtenAs: v.optional(v.tuple([v.string(), v.string()])),
});

/** Name of a method the runtime reported by token alone, as .NET 8 does for ReadyToRun code in a rundown. */
const NameSchema = v.object({ token: integer, namespace: v.string(), name: v.string() });

/** One piece of ReadyToRun code that stacks use. */
const ImageCodeSchema = v.object({
  rva: integer,
  /** Bytes. */
  size: integer,
  /** Offset of the piece within its method's code. */
  nativeOffset: integer,
  token: integer,
  namespace: v.string(),
  name: v.string(),
  /** Native offset → IL offset as in CodeBody; left out where there are no lines to find. */
  native: v.optional(integers),
  il: v.optional(integers),
});

const ModuleSchema = v.object({
  path: v.string(),
  name: v.string(),
  system: v.boolean(),
  /** Why the image could not be used; empty when it was. */
  problem: v.string(),
  /** The PDB that was used; empty without one. */
  pdb: v.string(),
  /** Where its PDB was looked for in vain, each with the reason. */
  tried: v.array(v.string()),
  methods: v.array(MethodSchema),
  names: v.array(NameSchema),
  code: v.array(ImageCodeSchema),
});

/** The code of one ELF image that stacks use; call sites by their addresses in the file's program headers, ascending. */
const NativeSchema = v.object({
  path: v.string(),
  buildId: v.string(),
  /** What was missing: no symbols, another file than the one recorded. */
  notes: v.array(v.string()),
  functions: v.array(v.string()),
  /** Per function the line of its declaration, 0 when not known. */
  declared: integers,
  address: v.array(v.number()),
  /** Frames of call site i are rows first[i] … first[i + 1] of the columns after it, the innermost (inlined) first. */
  first: integers,
  function: integers,
  /** Row of `files`, −1 without a line. */
  file: integers,
  line: integers,
});

const BundleSchema = v.object({
  version: v.literal(BUNDLE_VERSION),
  modules: v.array(ModuleSchema),
  native: v.optional(v.array(NativeSchema), []),
  /**
   * Source files by the paths that the symbols state, with their checksum as `algorithm:hex` where one is known, and with
   * `--with-source` their text.
   */
  files: v.array(v.object({ path: v.string(), checksum: v.optional(v.string()), text: v.optional(v.string()) })),
  /** Images lay where no mapping was recorded for them: worked out from the code the runtime reported. */
  processes: v.array(
    v.object({
      pid: integer,
      images: v.array(v.object({ path: v.string(), base: v.number(), end: v.number(), from: v.number() })),
      /** Names of nested types with their outer types, by the runtime's type handle. */
      types: v.array(v.object({ handle: v.number(), name: v.string() })),
    }),
  ),
});

/** Names and lines of the code that a recording's stacks mention: plain data, saved as symbols.json. */
export type SymbolBundle = v.InferOutput<typeof BundleSchema>;
export type BundleModule = v.InferOutput<typeof ModuleSchema>;
export type BundleMethod = v.InferOutput<typeof MethodSchema>;
export type BundleName = v.InferOutput<typeof NameSchema>;
export type BundleNative = v.InferOutput<typeof NativeSchema>;
export type BundleCode = v.InferOutput<typeof ImageCodeSchema>;

export const emptyBundle = (): SymbolBundle => ({
  version: BUNDLE_VERSION,
  modules: [],
  native: [],
  files: [],
  processes: [],
});

/**
 * The bundle in the text of symbols.json; `source` names the trace in errors.
 * @throws TraceError when it is damaged.
 */
export function parseSymbolBundle(text: string, source: string): SymbolBundle {
  const damaged = (reason: string) => new TraceError(`${source}: symbols.json is damaged (${reason})`);
  let json: unknown;
  try {
    json = parseBoundedJson(text);
  } catch (error) {
    throw damaged(messageOf(error));
  }
  const result = v.safeParse(BundleSchema, json);
  if (!result.success) {
    const issue = result.issues[0];
    throw damaged(`${v.getDotPath(issue) ?? 'root'}: ${issue.message}`);
  }
  const bundle = result.output;
  for (const module of bundle.modules) {
    for (const { il, line, file } of module.methods) {
      const isTable = il.length === line.length && il.length === file.length;
      if (!isTable || file.some((row) => row < 0 || row >= bundle.files.length))
        throw damaged(`lines of ${module.path}`);
    }
    if (module.code.some((code) => code.native?.length !== code.il?.length)) throw damaged(`code of ${module.path}`);
  }
  for (const one of bundle.native) {
    const { length } = one.function;
    const isTable =
      one.declared.length === one.functions.length &&
      one.first.length === one.address.length + 1 &&
      one.file.length === length &&
      one.line.length === length;
    const points = one.first.every((row, i) => row >= (one.first[i - 1] ?? 0) && row <= length);
    const rows =
      one.function.every((row) => row >= 0 && row < one.functions.length) &&
      one.file.every((row) => row >= -1 && row < bundle.files.length);
    if (!isTable || !points || !rows) throw damaged(`frames of ${one.path}`);
  }
  return bundle;
}
