import { joinAllocations } from './allocation-columns.ts';
import { float64Column, int32Column, uint8Column } from './columns.ts';
import { indexed } from './combinations.ts';
import { joinGcs } from './gc-columns.ts';
import { createKeyIndex } from './keys.ts';
import { createStackRows } from './stack-rows.ts';
import {
  type AllocationSource,
  type AllocationTable,
  type FileIndex,
  type FrameIndex,
  type FunctionIndex,
  type GcColumns,
  type ModuleIndex,
  type NativeSource,
  type NativeTables,
  NONE,
  type ProcessIndex,
  type Recording,
  type Series,
  type StackIndex,
  type ThreadIndex,
  type Trace,
  type TypeIndex,
} from './tables.ts';

interface ProcessRow {
  pid: number;
  parent: ProcessIndex;
  name: string;
  commandLine: string;
  runtime: string;
  start: number;
  end: number;
  exit: string;
  allocationSource: AllocationSource;
  nativeSource: NativeSource;
  errorUnknown: boolean;
  nativeBefore: number;
}

/** Fills the tables of a Trace. Names are interned: adding the same thing twice gives the same row. */
export interface TraceBuilder {
  process(row: ProcessRow): ProcessIndex;
  thread(process: ProcessIndex, osId: number, name: string): ThreadIndex;
  module(name: string, path: string, system: boolean): ModuleIndex;
  file(path: string, text?: string, checksum?: string): FileIndex;
  /**
   * A function of `module`; lines widen the range already known, 0 leaves it. `isLanguage`: this place in it is code of a
   * language's own library; a function is when all its places are.
   */
  function(
    name: string,
    module: ModuleIndex,
    file: FileIndex,
    firstLine: number,
    lastLine: number,
    isLanguage?: boolean,
  ): FunctionIndex;
  frame(fn: FunctionIndex, file: FileIndex, line: number, near: boolean): FrameIndex;
  stack(prefix: StackIndex, frame: FrameIndex): StackIndex;
  type(name: string): TypeIndex;
  /** Allocations, in any order; every index column points into the tables of this builder. */
  allocations(part: AllocationTable): void;
  /** Rows of one of the tables of counted native memory, as `allocations`. */
  native(table: keyof NativeTables, part: AllocationTable): void;
  /** Collections of a process, in any order. */
  gcs(process: ProcessIndex, part: GcColumns): void;
  series(series: Series): void;
  /** The finished, read-only Trace. The builder must not be used afterwards. */
  finish(recording: Recording): Trace;
}

/** Rows found again by a text key. */
function interner(): { find(key: string, add: () => void): number; readonly length: number } {
  const rows = new Map<string, number>();
  return {
    find(key, add) {
      let row = rows.get(key);
      if (row === undefined) {
        row = rows.size;
        rows.set(key, row);
        add();
      }
      return row;
    },
    get length() {
      return rows.size;
    },
  };
}

export function createTraceBuilder(): TraceBuilder {
  const processes: ProcessRow[] = [];

  const threadRows = interner();
  const threads = { process: int32Column(), osId: float64Column(), name: [] as string[] };

  const moduleRows = interner();
  const modules = { name: [] as string[], path: [] as string[], system: uint8Column() };

  const fileRows = interner();
  const files = {
    path: [] as string[],
    text: [] as (string | undefined)[],
    checksum: [] as (string | undefined)[],
  };

  const functionRows = interner();
  const functions = {
    name: [] as string[],
    module: int32Column(),
    system: uint8Column(),
    file: int32Column(),
    firstLine: int32Column(),
    lastLine: int32Column(),
  };

  const frameRows = createKeyIndex();
  const frames = { function: int32Column(), file: int32Column(), line: int32Column(), near: uint8Column() };

  const stacks = createStackRows();

  const typeRows = interner();
  const types: string[] = [];

  const allocations: AllocationTable[] = [];
  const native: Record<keyof NativeTables, AllocationTable[]> = {
    allocated: [],
    released: [],
    unreleased: [],
    fleeting: [],
    measured: [],
    resident: [],
    peak: [],
  };
  const gcs: { process: ProcessIndex; gcs: GcColumns }[] = [];
  const series: Series[] = [];

  return {
    process(row) {
      processes.push(row);
      return processes.length - 1;
    },

    thread(process, osId, name) {
      const row = threadRows.find(`${process} ${osId}`, () => {
        threads.process.push(process);
        threads.osId.push(osId);
        threads.name.push(name);
      });
      if (name !== '') threads.name[row] = name;
      return row;
    },

    module(name, path, system) {
      return moduleRows.find(`${name}\n${path}`, () => {
        modules.name.push(name);
        modules.path.push(path);
        modules.system.push(system ? 1 : 0);
      });
    },

    file(path, text, checksum) {
      const row = fileRows.find(path, () => {
        files.path.push(path);
        files.text.push(undefined);
        files.checksum.push(undefined);
      });
      if (text !== undefined) files.text[row] = text;
      if (checksum !== undefined) files.checksum[row] = checksum;
      return row;
    },

    function(name, module, file, firstLine, lastLine, isLanguage = false) {
      const system = isLanguage || (module !== NONE && modules.system.data[module] === 1) ? 1 : 0;
      const row = functionRows.find(`${module} ${name}`, () => {
        functions.name.push(name);
        functions.module.push(module);
        functions.system.push(system);
        functions.file.push(file);
        functions.firstLine.push(firstLine);
        functions.lastLine.push(lastLine);
      });
      functions.system.data[row] &= system;
      if (firstLine > 0 && (functions.file.data[row] === NONE || functions.firstLine.data[row] === 0)) {
        functions.file.data[row] = file;
        functions.firstLine.data[row] = firstLine;
        functions.lastLine.data[row] = lastLine;
      } else if (firstLine > 0 && functions.file.data[row] === file) {
        functions.firstLine.data[row] = Math.min(functions.firstLine.data[row], firstLine);
        functions.lastLine.data[row] = Math.max(functions.lastLine.data[row], lastLine);
      }
      return row;
    },

    frame(fn, file, line, near) {
      const row = frameRows.add(fn, file, line * 2 + (near ? 1 : 0));
      if (row === frames.function.length) {
        frames.function.push(fn);
        frames.file.push(file);
        frames.line.push(line);
        frames.near.push(near ? 1 : 0);
      }
      return row;
    },

    stack: stacks.row,

    type(name) {
      return typeRows.find(name, () => types.push(name));
    },

    allocations(part) {
      allocations.push(part);
    },

    native(table, part) {
      native[table].push(part);
    },

    gcs(process, part) {
      gcs.push({ process, gcs: part });
    },

    series(one) {
      series.push(one);
    },

    finish(recording) {
      return {
        recording,
        processes: finishProcesses(processes),
        threads: {
          length: threadRows.length,
          process: threads.process.finish(),
          osId: threads.osId.finish(),
          name: threads.name,
        },
        modules: { length: moduleRows.length, name: modules.name, path: modules.path, system: modules.system.finish() },
        files: { length: fileRows.length, ...files },
        functions: {
          length: functionRows.length,
          name: functions.name,
          module: functions.module.finish(),
          system: functions.system.finish(),
          file: functions.file.finish(),
          firstLine: functions.firstLine.finish(),
          lastLine: functions.lastLine.finish(),
        },
        frames: {
          length: frameRows.length,
          function: frames.function.finish(),
          file: frames.file.finish(),
          line: frames.line.finish(),
          near: frames.near.finish(),
        },
        stacks: { length: stacks.prefix.length, prefix: stacks.prefix.finish(), frame: stacks.frame.finish() },
        types: { length: types.length, name: types },
        allocations: indexed(joinAllocations(allocations)),
        native: {
          allocated: indexed(joinAllocations(native.allocated)),
          released: indexed(joinAllocations(native.released)),
          unreleased: indexed(joinAllocations(native.unreleased)),
          fleeting: indexed(joinAllocations(native.fleeting)),
          measured: indexed(joinAllocations(native.measured)),
          resident: indexed(joinAllocations(native.resident)),
          peak: indexed(joinAllocations(native.peak)),
        },
        gcs: joinGcs(gcs),
        series,
      };
    },
  };
}

function finishProcesses(rows: readonly ProcessRow[]): Trace['processes'] {
  return {
    length: rows.length,
    pid: Int32Array.from(rows, (row) => row.pid),
    parent: Int32Array.from(rows, (row) => row.parent),
    name: rows.map((row) => row.name),
    commandLine: rows.map((row) => row.commandLine),
    runtime: rows.map((row) => row.runtime),
    start: Float64Array.from(rows, (row) => row.start),
    end: Float64Array.from(rows, (row) => row.end),
    exit: rows.map((row) => row.exit),
    allocationSource: rows.map((row) => row.allocationSource),
    nativeSource: rows.map((row) => row.nativeSource),
    errorUnknown: Uint8Array.from(rows, (row) => Number(row.errorUnknown)),
    nativeBefore: Float64Array.from(rows, (row) => row.nativeBefore),
  };
}
