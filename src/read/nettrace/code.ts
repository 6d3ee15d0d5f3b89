import type { CodeBody, LoadedModule } from '../../symbols/code.ts';
import { readGuid, readU8, readU16, readU32, readU64, readUtf16, skip, skipUtf16 } from './bytes.ts';
import type { EventHandler, StreamEvent } from './event.ts';

/**
 * Methods, their IL maps and modules. Layouts: dotnet/runtime src/coreclr/vm/ClrEtwAll.man, templates
 * MethodLoadUnload…, MethodLoadUnloadVerbose…, MethodILToNativeMap, R2RGetEntryPoint, ModuleLoadUnload…,
 * DomainModuleLoadUnload…; meaning of the method flags: src/coreclr/vm/eventtrace.h and eventtracebase.h.
 *
 * What a rundown lists had been there before it: `from` is −Infinity unless its load was seen.
 */

const DYNAMIC_METHOD = 0x1;
const JITTED = 0x8;
const JIT_HELPER = 0x10;
/** Optimization tiers (flags >> 7 & 7) of code that was not optimised: minimum opts, quick JIT, instrumented quick JIT. */
const UNOPTIMIZED_TIERS = [1, 3, 6];

export interface CodeLog {
  /** A method was compiled or its precompiled code was taken into use. */
  load(body: CodeBody): void;
  /** A rundown lists a body at `time`: the loaded one that it is, or else a new one. */
  list(body: CodeBody, time: number): void;
  unload(start: number, methodId: number, time: number): void;
  map(methodId: number, rejitId: number, map: NonNullable<CodeBody['ilMap']>): void;
  /** An entry point of precompiled code, whose size is not known. */
  entryPoint(body: CodeBody): void;
  module(module: LoadedModule): void;
  unloadModule(moduleId: number, time: number): void;
  finish(): { code: CodeBody[]; modules: LoadedModule[] };
}

type MutableBody = { -readonly [K in keyof CodeBody]: CodeBody[K] };

export function createCodeLog(): CodeLog {
  const bodies: CodeBody[] = [];
  /** The last body of each start address and of each method. */
  const atStart = new Map<number, MutableBody>();
  const lastOfMethod = new Map<number, CodeBody>();
  /** Maps without a body so far, by method: a rundown writes the map before the body (ETW::MethodLog, eventtrace.cpp). */
  const early = new Map<number, { readonly rejitId: number; readonly map: NonNullable<CodeBody['ilMap']> }>();
  const entryPoints = new Map<number, CodeBody>();
  const modules: LoadedModule[] = [];
  const lastModule = new Map<number, LoadedModule>();

  const add = (body: CodeBody): void => {
    bodies.push(body);
    atStart.set(body.start, body);
    if (body.methodId !== 0) lastOfMethod.set(body.methodId, body);
  };
  /** True when `body` is the one known at its address; takes over the names that one may lack. */
  const isKnown = (body: CodeBody): boolean => {
    const known = atStart.get(body.start);
    if (known === undefined) return false;
    if (known.methodId !== body.methodId || known.rejitId !== body.rejitId) return false;
    if (known.name === '')
      Object.assign(known, { namespace: body.namespace, name: body.name, signature: body.signature });
    lastOfMethod.set(known.methodId, known);
    return true;
  };

  return {
    load(body) {
      const before = atStart.get(body.start);
      if (before?.to === Number.POSITIVE_INFINITY && isKnown(body)) return;
      if (before !== undefined) before.to = Math.min(before.to, body.from);
      add(body);
    },
    list(body, time) {
      const waiting = early.get(body.methodId);
      if (waiting?.rejitId === body.rejitId && fits(waiting.map, body)) {
        early.delete(body.methodId);
        const known = isKnown(body) ? atStart.get(body.start) : undefined;
        (known ?? body).ilMap ??= waiting.map;
      }
      if (isKnown(body)) return;
      const before = atStart.get(body.start);
      if (before === undefined) return add(body);
      // Other code was here: its unloading was seen, or lost.
      before.to = Math.min(before.to, time);
      add({ ...body, from: before.to });
    },
    unload(start, methodId, time) {
      const body = atStart.get(start);
      if (body !== undefined && body.methodId === methodId) body.to = time;
    },
    map(methodId, rejitId, map) {
      // Live, the runtime writes the map right after the body's own event; all tiers of a method share the ids.
      const body = lastOfMethod.get(methodId);
      const takesIt = body?.rejitId === rejitId && body.origin !== 'r2r' && body.ilMap === undefined && fits(map, body);
      if (takesIt) body.ilMap = map;
      else early.set(methodId, { rejitId, map });
    },
    entryPoint(body) {
      if (!entryPoints.has(body.start)) entryPoints.set(body.start, body);
    },
    module(module) {
      const known = lastModule.get(module.moduleId);
      const listed = module.from === Number.NEGATIVE_INFINITY;
      if (known?.path === module.path && (listed || known.to === Number.POSITIVE_INFINITY))
        return complete(known, module);
      modules.push(module);
      lastModule.set(module.moduleId, module);
    },
    unloadModule(moduleId, time) {
      const module = lastModule.get(moduleId);
      if (module !== undefined) module.to = time;
    },
    finish() {
      return { code: [...bodies, ...uncovered([...entryPoints.values()], bodies)], modules };
    },
  };
}

function fits(map: NonNullable<CodeBody['ilMap']>, body: CodeBody): boolean {
  return map.native.length === 0 || map.native[map.native.length - 1] <= body.size;
}

/** Adds the PDB that only one of the module events states. */
function complete(known: LoadedModule, { pdbGuid, pdbAge, pdbPath }: LoadedModule): void {
  if (known.pdbGuid === '' && pdbGuid !== '') Object.assign(known, { pdbGuid, pdbAge, pdbPath });
}

/** Entry points that no body holds. */
export function uncovered(entryPoints: readonly CodeBody[], bodies: readonly CodeBody[]): CodeBody[] {
  if (entryPoints.length === 0) return [];
  const sorted = [...bodies].sort((a, b) => a.start - b.start);
  return entryPoints.filter(({ start }) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const half = (low + high) >>> 1;
      if (sorted[half].start <= start) low = half + 1;
      else high = half;
    }
    const body = sorted[low - 1];
    return body === undefined || body.start + body.size <= start;
  });
}

export const methodLoad: EventHandler = (event, process) => {
  process.code.load(readBody(event, event.time, false));
};
export const methodLoadVerbose: EventHandler = (event, process) => {
  process.code.load(readBody(event, event.time, true));
};
export const methodRundown: EventHandler = (event, process) => {
  process.code.list(readBody(event, Number.NEGATIVE_INFINITY, false), event.time);
};
export const methodRundownVerbose: EventHandler = (event, process) => {
  process.code.list(readBody(event, Number.NEGATIVE_INFINITY, true), event.time);
};
/** MethodUnload (142) and MethodUnloadVerbose (144) begin alike. */
export const methodUnload: EventHandler = (event, process) => {
  const methodId = readU64(event);
  skip(event, 8);
  process.code.unload(readU64(event), methodId, event.time);
};

/**
 * u64 MethodID, u64 ModuleID, u64 start, u32 size, u32 token, u32 flags; verbose: namespace, name, signature; v1: u16 CLR
 * instance; v2: u64 ReJITID. Version 0 and 1 leave the ReJITID 0.
 */
function readBody(event: StreamEvent, from: number, verbose: boolean): CodeBody {
  const methodId = readU64(event);
  const moduleId = readU64(event);
  const start = readU64(event);
  const size = readU32(event);
  const token = readU32(event);
  const flags = readU32(event);
  const namespace = verbose ? readUtf16(event) : '';
  const name = verbose ? readUtf16(event) : '';
  const signature = verbose ? readUtf16(event) : '';
  readU16(event);
  const rejitId = readU64(event);
  const dynamic = (flags & (DYNAMIC_METHOD | JIT_HELPER)) !== 0;
  const origin = dynamic ? 'dynamic' : flags & JITTED ? 'jit' : 'r2r';
  const optimized = !UNOPTIMIZED_TIERS.includes((flags >> 7) & 7);
  return {
    start,
    size,
    from,
    to: Number.POSITIVE_INFINITY,
    methodId,
    rejitId,
    moduleId,
    token,
    namespace,
    name,
    signature,
    origin,
    optimized,
  };
}

/**
 * MethodILToNativeMap (190; rundown 149, 150): u64 MethodID, u64 ReJITID, u8 extent, u16 count, u32 IL offset each, u32
 * native offset each, u16 CLR instance.
 */
export const ilMap: EventHandler = (event, process) => {
  const methodId = readU64(event);
  const rejitId = readU64(event);
  readU8(event);
  const count = readU16(event);
  if (event.end - event.pos < count * 8) return;
  const il = new Int32Array(count);
  const native = new Int32Array(count);
  let ascending = true;
  for (let i = 0; i < count; i++) {
    il[i] = event.view.getInt32(event.pos + 4 * i, true);
    native[i] = event.view.getInt32(event.pos + 4 * (count + i), true);
    ascending &&= i === 0 || native[i] >= native[i - 1];
  }
  process.code.map(methodId, rejitId, ascending ? { native, il } : byNativeOffset(native, il));
};

function byNativeOffset(native: Int32Array, il: Int32Array): { native: Int32Array; il: Int32Array } {
  const order = Int32Array.from(native, (_, i) => i).sort((a, b) => native[a] - native[b] || a - b);
  return { native: order.map((row) => native[row]), il: order.map((row) => il[row]) };
}

/** R2RGetEntryPoint (159): u64 MethodID, namespace, name, signature, u64 entry point. */
export const readyToRunEntryPoint: EventHandler = (event, process) => {
  const methodId = readU64(event);
  const namespace = readUtf16(event);
  const name = readUtf16(event);
  const signature = readUtf16(event);
  const start = readU64(event);
  if (start === 0) return;
  process.code.entryPoint({
    start,
    size: 0,
    from: event.time,
    to: Number.POSITIVE_INFINITY,
    methodId,
    rejitId: 0,
    moduleId: 0,
    token: 0,
    namespace,
    name,
    signature,
    origin: 'r2r',
    optimized: true,
  });
};

export const moduleLoad: EventHandler = (event, process) => {
  process.code.module(readModule(event, event.time, false));
};
export const moduleRundown: EventHandler = (event, process) => {
  process.code.module(readModule(event, Number.NEGATIVE_INFINITY, false));
};
export const domainModuleLoad: EventHandler = (event, process) => {
  process.code.module(readModule(event, event.time, true));
};
export const domainModuleRundown: EventHandler = (event, process) => {
  process.code.module(readModule(event, Number.NEGATIVE_INFINITY, true));
};
export const moduleUnload: EventHandler = (event, process) => {
  process.code.unloadModule(readU64(event), event.time);
};

/**
 * u64 ModuleID, u64 AssemblyID, domain events: u64 AppDomainID, u32 flags, u32 reserved, IL path, native path; v1: u16 CLR
 * instance; v2: GUID, u32 age and path of the managed PDB (only in the events without a domain).
 */
function readModule(event: StreamEvent, from: number, domain: boolean): LoadedModule {
  const moduleId = readU64(event);
  skip(event, (domain ? 16 : 8) + 8);
  const path = readUtf16(event);
  skipUtf16(event);
  readU16(event);
  const pdbGuid = domain ? '' : readGuid(event);
  const pdbAge = domain ? 0 : readU32(event);
  const pdbPath = domain ? '' : readUtf16(event);
  return { moduleId, path, from, to: Number.POSITIVE_INFINITY, pdbGuid, pdbAge, pdbPath };
}
