import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf, TraceError } from '../trace/errors.ts';
import type { BundleCode, BundleMethod, BundleModule, BundleName, SymbolBundle } from './bundle.ts';
import { emptyBundle } from './bundle.ts';
import { checkedRead } from './bytes.ts';
import type { CodeBody, LoadedModule, MappedImage } from './code.ts';
import { callSite } from './code-map.ts';
import { type IlOperations, readMethodHeader, readOperations } from './il.ts';
import type { ImageSource } from './images.ts';
import type { Metadata } from './metadata.ts';
import { type Module, openModule } from './modules.ts';
import { namesOfMethodTables } from './native/method-tables.ts';
import { createNativeNames, type NativeNames } from './native-names.ts';
import { type AllocationSite, NAMELESS_TYPE, withOuterTypes } from './nested-types.ts';
import type { SequencePoints } from './pdb.ts';
import { type CodeIndex, indexCode, type ProcessCode } from './process-code.ts';
import type { NativeMethod } from './r2r.ts';
import { createSourceFiles, type SourceFiles, type SourceOptions } from './sources.ts';
import { liesInSharedFramework, moduleName } from './user-code.ts';

export type { SymbolBundle } from './bundle.ts';
export type { ProcessCode } from './process-code.ts';

const METHOD_DEF = 0x06000000;
const ROW = 0x00ffffff;
const PAGE_BYTES = 4096;
/** Bodies looked at to work out where an image was mapped. */
const MAX_VOTES = 64;

/**
 * Gathers names and lines for the addresses in `used` of all processes from the images and PDBs of this machine, so
 * that the trace opens on a machine without them. Code that was compiled at run time has its names in the trace already
 * and needs lines only; ReadyToRun code gets both. What is missing is noted in the bundle, nothing throws for it.
 * @param options withSource: the text of the source files too; whileRecording: their checksums, see SourceOptions; onImage: told the path of each image before it is opened
 */
export async function collectSymbols(
  processes: readonly ProcessCode[],
  images: ImageSource,
  options: Partial<SourceOptions> & { readonly onImage?: (path: string) => void } = {},
): Promise<SymbolBundle> {
  const { withSource = false, whileRecording = false, onImage = () => {} } = options;
  const bundle = emptyBundle();
  const sources = createSourceFiles(images, { withSource, whileRecording });
  const modules = createModules(images, sources, onImage);
  const natives = createNativeNames(images, sources, onImage);
  try {
    for (const process of processes) {
      // Opening large images takes a moment each: let a progress line live.
      await nextTurn();
      const inferred = inferImages(process, modules);
      const index = indexCode(process, inferred);
      await collectProcess(process, index, modules, natives);
      const types = [...nestedTypes(process, index, modules), ...namelessTypes(process, images)];
      if (inferred.length + types.length > 0) bundle.processes.push({ pid: process.pid, images: inferred, types });
    }
    bundle.modules.push(...modules.finish());
    bundle.native.push(...(await natives.finish()));
  } finally {
    modules.close();
  }
  bundle.files.push(...sources.finish());
  return bundle;
}

/** Names of types with the outer types that the runtime's events leave out. */
function nestedTypes(process: ProcessCode, index: CodeIndex, modules: Modules): { handle: number; name: string }[] {
  const siteOf = ({ address, time }: { address: number; time: number }): AllocationSite[] => {
    const at = callSite(address);
    const body = index.bodies.find(at, time);
    if (body !== undefined && body.name !== '') {
      const path = index.moduleOf(body)?.path ?? '';
      return [{ type: body.namespace, metadata: modules.use(path, process)?.module.metadata }];
    }
    const image = index.imageAt(at, time);
    const used = image && modules.use(image.path, process);
    const type = used?.typeAt(at - image!.base);
    return type === undefined ? [] : [{ type, metadata: used?.module.metadata }];
  };
  return process.types.flatMap(({ handle, name, sites }) => {
    if (name === NAMELESS_TYPE) return [];
    const full = withOuterTypes(name, sites.flatMap(siteOf), modules.metadata());
    return full === undefined ? [] : [{ handle, name: full }];
  });
}

/** Names of types that the runtime names by their method tables alone: NativeAOT's, whose image lies below the address. */
function namelessTypes(process: ProcessCode, images: ImageSource): { handle: number; name: string }[] {
  const nameless = process.types.filter((type) => type.name === NAMELESS_TYPE);
  if (nameless.length === 0) return [];
  const native = process.images.filter(({ path }) => !/\.(dll|exe)$/i.test(path));
  const imageBelow = (address: number) =>
    native.filter(({ base }) => base <= address).reduce((a, b) => (b.base > a.base ? b : a), native[0]);
  const byImage = new Map<MappedImage, number[]>();
  for (const { handle } of nameless) {
    const image = native.length === 0 ? undefined : imageBelow(handle);
    if (image !== undefined) byImage.set(image, [...(byImage.get(image) ?? []), handle]);
  }
  return [...byImage].flatMap(([{ path, base }, handles]) => {
    const addresses = handles.map((handle) => handle - base);
    const names = namesOfMethodTables(path, addresses, (file) => images(file, process.pid));
    return [...names].map(([address, name]) => ({ handle: address + base, name }));
  });
}

async function collectProcess(
  process: ProcessCode,
  index: CodeIndex,
  modules: Modules,
  natives: NativeNames,
): Promise<void> {
  const { address, time } = process.used;
  const seen = new Set<number>();
  for (let i = 0; i < address.length; i++) {
    const at = callSite(address[i]);
    if (seen.has(at) && !index.dependsOnTime(at)) continue;
    seen.add(at);
    const native = index.nativeAt(at, time[i]);
    if (native !== undefined) {
      natives.want(native, at - native.bias, process.pid);
      continue;
    }
    const body = index.bodies.find(at, time[i]);
    if (body !== undefined) {
      const loaded = index.moduleOf(body);
      if (isNamedSystemCode(body, loaded)) continue;
      const path = loaded?.path ?? '';
      const used = path === '' ? undefined : modules.use(path, process);
      if (body.name === '') used?.name(body.token);
      if (body.origin !== 'r2r') {
        used?.method(body.token, body.namespace);
        continue;
      }
    }
    const image = index.imageAt(at, time[i]);
    if (image === undefined) continue;
    const isNew = !modules.has(image.path);
    modules.use(image.path, process)?.code(at - image.base);
    if (isNew) await nextTurn();
  }
}

/**
 * Foreign traces come without mappings. There the runtime's own report of a ReadyToRun method, less the RVA of that
 * method in the image, says where the image was mapped.
 */
function inferImages(process: ProcessCode, modules: Modules): MappedImage[] {
  const known = new Set(process.images.map((image) => image.path));
  const { moduleOf } = indexCode(process);
  const votes = new Map<string, { bases: Map<number, number>; cast: number; from: number }>();
  for (const body of process.code) {
    if (body.origin !== 'r2r') continue;
    const loaded = moduleOf(body);
    if (isNamedSystemCode(body, loaded)) continue;
    if (loaded === undefined || loaded.path === '' || known.has(loaded.path)) continue;
    let vote = votes.get(loaded.path);
    if (vote === undefined) {
      vote = { bases: new Map(), cast: 0, from: loaded.from };
      votes.set(loaded.path, vote);
    }
    if (vote.cast >= MAX_VOTES) continue;
    vote.cast++;
    for (const { rva, size } of modules.use(loaded.path, process)?.module.readyToRun?.codeOf(body.token & ROW) ?? []) {
      const base = body.start - rva;
      if (size === body.size && base % PAGE_BYTES === 0) vote.bases.set(base, (vote.bases.get(base) ?? 0) + 1);
    }
  }
  return [...votes].flatMap(([path, { bases, from }]) => {
    const base = [...bases].sort((a, b) => b[1] - a[1])[0]?.[0];
    const size = modules.use(path, process)?.module.image?.imageSize;
    return base === undefined || size === undefined ? [] : [{ path, base, end: base + size, from }];
  });
}

/** Code that the runtime itself named and that has no lines to look for: the image can stay closed. */
function isNamedSystemCode(body: CodeBody, module: LoadedModule | undefined): boolean {
  return body.origin === 'r2r' && body.name !== '' && liesInSharedFramework(module?.path ?? '');
}

interface Modules {
  has(path: string): boolean;
  /** The module at `path`, opened once for all processes; undefined for images that are not managed. */
  use(path: string, process: ProcessCode): UsedModule | undefined;
  /** Of all modules that are open. */
  metadata(): Metadata[];
  finish(): BundleModule[];
  close(): void;
}

interface UsedModule {
  readonly module: Module;
  /** Lines of a method are wanted. `namespace` is its type, for state machines that do not say what they are. */
  method(token: number, namespace: string): boolean;
  /** The name of a method is wanted. */
  name(token: number): void;
  /** The type whose method has its native code at an RVA; undefined when no method has. */
  typeAt(rva: number): string | undefined;
  /** Name, and lines if there are, of the native code at an RVA are wanted. */
  code(rva: number): void;
  finish(): BundleModule;
}

function createModules(images: ImageSource, sources: SourceFiles, onImage: (path: string) => void): Modules {
  const opened = new Map<string, UsedModule | undefined>();
  const modules: Modules = {
    has: (path) => opened.has(path),
    use(path, process) {
      if (!opened.has(path)) {
        opened.set(path, undefined); // a reference back to it while it opens finds nothing
        const isManaged = /\.(dll|exe)$/i.test(path) || process.modules.some((module) => module.path === path);
        if (isManaged) opened.set(path, open(path, process));
      }
      return opened.get(path);
    },
    metadata: () => [...opened.values()].flatMap((used) => used?.module.metadata ?? []),
    finish: () => [...opened.values()].flatMap((used) => (used === undefined ? [] : [used.finish()])),
    close: () => {
      for (const used of opened.values()) used?.module.close();
    },
  };
  const open = (path: string, process: ProcessCode): UsedModule => {
    const loaded = process.modules.find((one) => one.path === path);
    const byName = (name: string): Metadata | undefined => {
      const paths = [...process.images, ...process.modules].map((one) => one.path);
      const found = paths.find((one) => moduleName(one) === name);
      return found === undefined ? undefined : modules.use(found, process)?.module.metadata;
    };
    onImage(path);
    const expected = { path, pid: process.pid, pdbGuid: loaded?.pdbGuid ?? '', pdbPath: loaded?.pdbPath ?? '' };
    return useModule(openModule(expected, images, byName), sources);
  };
  return modules;
}

/** Runs `read`: a damaged row costs what it describes, not the module. */
type Attempt = <T>(read: () => T) => T | undefined;

function useModule(module: Module, sources: SourceFiles): UsedModule {
  const methods = new Map<number, BundleMethod | undefined>();
  const names = new Map<number, BundleName>();
  const code = new Map<number, BundleCode>();
  const problems = new Set(module.problem === '' ? [] : [module.problem]);
  const attempt: Attempt = (read) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      problems.add(messageOf(error));
      return undefined;
    }
  };
  const used: UsedModule = {
    module,
    method(token, namespace) {
      if (!methods.has(token))
        methods.set(
          token,
          attempt(() => bundleMethod(module, sources, token, namespace, attempt)),
        );
      return methods.get(token) !== undefined;
    },
    name(token) {
      const method = names.has(token) ? undefined : attempt(() => module.metadata?.method(token & ROW));
      if (method !== undefined) names.set(token, { token, namespace: method.type, name: method.name });
    },
    typeAt: (rva) =>
      attempt(() => {
        const found = module.readyToRun?.find(rva);
        return found && (found.instance?.owner || module.metadata?.method(found.methodRow)?.type);
      }),
    code(rva) {
      const found = attempt(() => module.readyToRun?.find(rva));
      if (found === undefined || code.has(found.rva)) return;
      const row = attempt(() => bundleCode(module, found));
      if (row === undefined) return;
      const hasLines = row.token !== 0 && used.method(row.token, row.namespace);
      const map = hasLines ? attempt(() => found.ilMap()) : undefined;
      code.set(found.rva, map === undefined ? row : { ...row, native: [...map.native], il: [...map.il] });
    },
    finish: () => ({
      path: module.path,
      name: module.name,
      system: module.system,
      problem: [...problems].join('; '),
      pdb: module.pdb.path,
      tried: [...module.pdb.tried],
      methods: [...methods.values()].filter((method) => method !== undefined),
      names: [...names.values()],
      code: [...code.values()].sort((a, b) => a.rva - b.rva),
    }),
  };
  return used;
}

function bundleCode(module: Module, found: NativeMethod): BundleCode | undefined {
  const { instance, methodRow } = found;
  // Code of another module's generic method compiled into this image: its own metadata has the name.
  const isForeign = instance !== undefined && instance.module !== 0;
  const method = isForeign ? undefined : module.metadata?.method(methodRow);
  const namespace = instance?.owner || (method?.type ?? '');
  if (namespace === '' && method === undefined) return undefined;
  return {
    rva: found.rva,
    size: found.size,
    nativeOffset: found.nativeOffset,
    token: isForeign ? 0 : METHOD_DEF + methodRow,
    namespace,
    name: method?.name ?? `method ${methodRow}`,
  };
}

function bundleMethod(
  module: Module,
  sources: SourceFiles,
  token: number,
  namespace: string,
  attempt: Attempt,
): BundleMethod | undefined {
  const { pdb } = module.pdb;
  const points = pdb?.sequencePoints(token & ROW);
  if (pdb === undefined || points === undefined || points.il.length === 0) return undefined;
  const file = Array.from(points.document, (document) => sources.row(pdb, document, module.pid));
  const { calls, allocations, apart } = operationsOf(module, token & ROW, attempt);
  const writtenAs = writtenMethod(module, token & ROW, namespace);
  return {
    token,
    ...lineRange(points, file),
    il: [...points.il],
    line: [...points.line],
    file,
    calls,
    allocations,
    apart: apart.filter((offset) => points.il.includes(offset)),
    ...(writtenAs && { writtenAs }),
  };
}

/** Where the method calls and allocates: which of several statements is meant, where the code left few marks. */
function operationsOf(module: Module, row: number, attempt: Attempt): IlOperations {
  const { image, metadata } = module;
  const rva = metadata?.ilRva(row) ?? 0;
  const none = { calls: [], allocations: [], apart: [] };
  if (image === undefined || rva === 0) return none;
  const operations = attempt(() =>
    checkedRead(module.path, () => {
      const { headerSize, codeSize } = readMethodHeader(image.read(rva, 12));
      return readOperations(image.read(rva + headerSize, codeSize));
    }),
  );
  return operations ?? none;
}

/** First and last line within the file that the method starts in. */
function lineRange(points: SequencePoints, file: readonly number[]): { firstLine: number; lastLine: number } {
  const start = points.line.findIndex((line) => line > 0);
  let firstLine = 0;
  let lastLine = 0;
  for (let i = Math.max(0, start); i < file.length; i++) {
    if (points.line[i] === 0 || file[i] !== file[start]) continue;
    firstLine = firstLine === 0 ? points.line[i] : Math.min(firstLine, points.line[i]);
    lastLine = Math.max(lastLine, points.endLine[i]);
  }
  return { firstLine, lastLine };
}

/** The C# compiler's state machines carry their method's name; those of other compilers are told apart by the PDB. */
function writtenMethod(module: Module, row: number, namespace: string): [string, string] | undefined {
  if (/>d(__\w+)?(`\d+)?(\[.*)?$/.test(namespace)) return undefined;
  const kickoff = module.pdb.pdb?.kickoffMethod(row);
  const method = kickoff === undefined ? undefined : module.metadata?.method(kickoff);
  return method && [method.type, method.name];
}
