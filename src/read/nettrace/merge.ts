import type { CodeBody, LoadedModule } from '../../symbols/code.ts';
import { concatenatedGcs, gcRows } from '../../trace/gc-columns.ts';
import { GENERATIONS } from '../../trace/kinds.ts';
import { type GcColumns, type GcIndex, NONE } from '../../trace/tables.ts';
import { createAllocationRows } from './allocation-rows.ts';
import { rankOf } from './allocations.ts';
import type { ProcessCapture, RawStacks, RawType, StreamCapture } from './capture.ts';
import { uncovered } from './code.ts';
import { createStacks, type Stacks } from './stacks.ts';

/**
 * Joins the streams of the same process: what one session knows of code helps to name the stacks of another. Processes
 * come in the order in which they first appear. Modules and code bodies that several streams report are kept once.
 * Allocations are joined too, but only those of the best source, since sessions of different sources see the same bytes.
 */
export function mergeCaptures(captures: readonly StreamCapture[]): ProcessCapture[] {
  const byPid = new Map<number, ProcessCapture[]>();
  for (const process of captures.flatMap((capture) => capture.processes)) {
    const known = byPid.get(process.pid);
    if (known === undefined) byPid.set(process.pid, [process]);
    else known.push(process);
  }
  return [...byPid.values()].map((parts) => (parts.length === 1 ? parts[0] : mergeParts(parts)));
}

function mergeParts(parts: readonly ProcessCapture[]): ProcessCapture {
  const best = parts.reduce((a, b) => (rankOf(b.allocationSource) > rankOf(a.allocationSource) ? b : a));
  const counted = parts.filter((part) => part.allocationSource === best.allocationSource);
  const firstText = (pick: (part: ProcessCapture) => string) => parts.map(pick).find((text) => text !== '') ?? '';
  return {
    pid: best.pid,
    runtime: firstText((part) => part.runtime),
    commandLine: firstText((part) => part.commandLine),
    allocationSource: best.allocationSource,
    isWhole: counted.every((part) => part.isWhole),
    ...(counted.length === 1 ? tablesOf(best) : mergeTables(counted)),
    code: mergeCode(parts.map((part) => part.code)),
    modules: mergeModules(parts.map((part) => part.modules)),
    gcs: mergeGcs(parts),
  };
}

type Tables = Pick<ProcessCapture, 'allocations' | 'stacks' | 'types' | 'threads'>;

function tablesOf({ allocations, stacks, types, threads }: ProcessCapture): Tables {
  return { allocations, stacks, types, threads };
}

/** Appends the rows of all parts, with types, threads and stacks interned again. */
function mergeTables(parts: readonly ProcessCapture[]): Tables {
  const stacks = createStacks(8);
  const types: RawType[] = [];
  const typeRows = new Map<string, number>();
  const threads: { osId: number; name: string }[] = [];
  const threadRows = new Map<number, number>();
  const joined = createAllocationRows();
  for (const part of parts) {
    const typeRow = part.types.map((type) => rowOf(typeRows, `${type.handle} ${type.name}`, () => types.push(type)));
    const threadRow = part.threads.map((thread) => {
      const row = rowOf(threadRows, thread.osId, () => threads.push({ ...thread }));
      if (thread.name !== '') threads[row].name = thread.name;
      return row;
    });
    const stackRow = internAll(stacks, part.stacks);
    const rows = part.allocations;
    for (let i = 0; i < rows.length; i++) {
      const stack = rows.stack[i] === NONE ? NONE : stackRow[rows.stack[i]];
      const thread = threadRow[rows.thread[i]];
      const type = typeRow[rows.type[i]];
      joined.add(rows.time[i], thread, rows.heap[i], type, stack, rows.objectSize[i], rows.amount[i]);
    }
  }
  return { allocations: joined.finish(), stacks: stacks.finish(), types, threads };
}

function rowOf<K>(rows: Map<K, number>, key: K, add: () => void): number {
  const known = rows.get(key);
  if (known !== undefined) return known;
  rows.set(key, rows.size);
  add();
  return rows.size - 1;
}

/** New row of each row of a trie; a prefix always comes before the stacks that continue it. */
function internAll(into: Stacks, from: RawStacks): Int32Array {
  const rows = new Int32Array(from.length);
  for (let row = 0; row < from.length; row++) {
    const prefix = from.prefix[row] === NONE ? NONE : rows[from.prefix[row]];
    const address = from.address[row];
    rows[row] = into.push(prefix, address % 0x1_0000_0000, Math.floor(address / 0x1_0000_0000));
  }
  return rows;
}

/**
 * Bodies of one key (start, method, version) whose lifetimes overlap are one body. A rundown knows a body without its
 * beginning (`from` is −Infinity), so a load that was seen says more: its time wins, of several the earliest.
 */
function mergeCode(lists: readonly (readonly CodeBody[])[]): CodeBody[] {
  const byKey = new Map<string, CodeBody[]>();
  for (const body of lists.flat()) {
    const key = `${body.start} ${body.methodId} ${body.rejitId}`;
    const known = byKey.get(key) ?? [];
    // A body that a rundown lists is the latest one that was seen loading there.
    const twin = [...known].reverse().find((other) => other.from < body.to && body.from < other.to);
    if (twin === undefined) known.push({ ...body });
    else known[known.indexOf(twin)] = joinBodies(twin, body);
    byKey.set(key, known);
  }
  const all = [...byKey.values()].flat();
  const bodies = all.filter((body) => body.size > 0);
  return [
    ...bodies,
    ...uncovered(
      all.filter((body) => body.size === 0),
      bodies,
    ),
  ];
}

function joinBodies(a: CodeBody, b: CodeBody): CodeBody {
  const ilMap = a.ilMap ?? b.ilMap;
  const named = a.name === '' ? b : a;
  const sized = a.size === 0 ? b : a;
  return {
    ...named,
    size: sized.size,
    token: a.token || b.token,
    moduleId: a.moduleId || b.moduleId,
    from: earliest(a.from, b.from),
    to: Math.min(a.to, b.to),
    ...(ilMap && { ilMap }),
  };
}

function earliest(a: number, b: number): number {
  const finite = [a, b].filter(Number.isFinite);
  return finite.length === 0 ? Number.NEGATIVE_INFINITY : Math.min(...finite);
}

function mergeModules(lists: readonly (readonly LoadedModule[])[]): LoadedModule[] {
  const byKey = new Map<string, LoadedModule>();
  for (const module of lists.flat()) {
    const key = `${module.moduleId} ${module.path}`;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, { ...module });
    else {
      const pdb = known.pdbGuid === '' ? module : known;
      const { pdbGuid, pdbAge, pdbPath } = pdb;
      const [from, to] = [earliest(known.from, module.from), Math.max(known.to, module.to)];
      byKey.set(key, { ...known, from, to, pdbGuid, pdbAge, pdbPath });
    }
  }
  return [...byKey.values()];
}

/** Collections by number; of one that several streams saw, the row that says when it ended. */
function mergeGcs(parts: readonly ProcessCapture[]): GcColumns {
  const gcs = concatenatedGcs(parts.map((part) => part.gcs));
  const byNumber = new Map<number, GcIndex>();
  for (let gc = 0; gc < gcs.length; gc++) {
    const known = byNumber.get(gcs.number[gc]);
    if (known === undefined || knows(gcs, gc) > knows(gcs, known)) byNumber.set(gcs.number[gc], gc);
  }
  const rows = Uint32Array.from(byNumber.values());
  return gcRows(
    gcs,
    rows.sort((a, b) => gcs.start[a] - gcs.start[b]),
  );
}

/** How many of the things that may be missing are there. */
function knows({ end, size, free, committed }: GcColumns, gc: GcIndex): number {
  const first = gc * GENERATIONS.length;
  return [end[gc], size[first], free[first], committed[gc]].filter((value) => !Number.isNaN(value)).length;
}
