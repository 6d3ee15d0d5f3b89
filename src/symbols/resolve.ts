import type { BundleCode, BundleMethod, BundleModule, BundleName, SymbolBundle } from './bundle.ts';
import type { CodeBody, NativeModule } from './code.ts';
import { callSite } from './code-map.ts';
import { readableFunctionName } from './names.ts';
import { indexCode, type ProcessCode } from './process-code.ts';
import { lastAtMost } from './search.ts';
import { type IlMap, statementAt } from './statement.ts';
import { isSystemLibrary, isSystemModule, moduleName } from './user-code.ts';

/** What a stack's address means. */
export interface ResolvedFrame {
  /** Readable; `[unknown 0x…]` or `library.so!+0x…` when not resolved. */
  readonly functionName: string;
  readonly resolved: boolean;
  readonly moduleName: string;
  /** Empty when not known. */
  readonly modulePath: string;
  /** Code of the runtime or its framework. */
  readonly system: boolean;
  /** Source path as the PDB states it; empty without lines. */
  readonly file: string;
  /** 1-based; 0 when not known. */
  readonly line: number;
  /** Optimised code, or code without an IL map: the line is that of a nearby statement. */
  readonly near: boolean;
  /** First and last line of the whole function, 0 when not known. */
  readonly firstLine: number;
  readonly lastLine: number;
}

export interface Resolver {
  /**
   * The frame of a return address as it is on a stack, at a time in ns; where calls were inlined, all of them, innermost
   * first. `innermost`: the frame allocated itself, so its line is that of an allocating statement.
   */
  resolve(address: number, time: number, innermost: boolean): readonly ResolvedFrame[];
  /** True when the address meant different code at different times, so that a frame holds for its own time only. */
  dependsOnTime(address: number): boolean;
}

/** Names the addresses of one process from its own code events and the bundle gathered for them. Reads no file. */
export function createResolver(process: Omit<ProcessCode, 'used' | 'types'>, bundle: SymbolBundle): Resolver {
  const inferred = bundle.processes.filter((one) => one.pid === process.pid).flatMap((one) => one.images);
  const index = indexCode(process, inferred);
  const modules = new Map(bundle.modules.map((module) => [module.path, indexModule(module)]));
  const natives = new Map(bundle.native.map((native) => [nativeKey(native), native]));
  type Frames = readonly ResolvedFrame[];
  const caches = { innermost: new Map<number, Frames>(), calling: new Map<number, Frames>() };

  const dependsOnTime = (address: number): boolean => index.dependsOnTime(callSite(address));

  const lookUp = (address: number, time: number, innermost: boolean): Frames => {
    const native = index.nativeAt(callSite(address), time);
    return native === undefined ? [managedFrame(address, time, innermost)] : nativeFrames(native, address);
  };

  const nativeFrames = (module: NativeModule, address: number): Frames => {
    const facts = {
      moduleName: moduleName(module.path),
      modulePath: module.path,
      system: isSystemLibrary(module.path),
    };
    const names = natives.get(nativeKey(module));
    const site = callSite(address) - module.bias;
    const row = names === undefined ? -1 : lastAtMost(names.address, site);
    if (names === undefined || row < 0 || names.address[row] !== site || names.first[row] === names.first[row + 1]) {
      const functionName = `${facts.moduleName}!+0x${(address - module.bias).toString(16)}`;
      return [{ functionName, resolved: false, ...facts, ...NO_LINE }];
    }
    return names.function.slice(names.first[row], names.first[row + 1]).map((fn, i) => {
      const at = names.first[row] + i;
      const functionName = names.functions[fn];
      if (names.file[at] < 0) return { functionName, resolved: true, ...facts, ...NO_LINE };
      const line = names.line[at];
      const file = bundle.files[names.file[at]].path;
      const firstLine = names.declared[fn] || line;
      return { functionName, resolved: true, ...facts, file, line, near: false, firstLine, lastLine: line };
    });
  };

  const managedFrame = (address: number, time: number, innermost: boolean): ResolvedFrame => {
    const at = callSite(address);
    const body = index.bodies.find(at, time);
    if (body !== undefined && body.origin !== 'r2r') return bodyFrame(body, at, innermost);
    const image = index.imageAt(at, time);
    const code = image && modules.get(image.path)?.codeAt(at - image.base);
    if (image !== undefined && code !== undefined) {
      return codeFrame(code, image.path, at - image.base - code.rva, innermost);
    }
    if (body !== undefined) return bodyFrame(body, at, innermost);
    return unresolvedFrame(address, image && { path: image.path, offset: address - image.base });
  };

  const bodyFrame = (body: CodeBody, at: number, innermost: boolean): ResolvedFrame => {
    const path = index.moduleOf(body)?.path ?? '';
    const module = modules.get(path);
    const method = module?.methods.get(body.token);
    const { namespace, name } = body.name === '' ? (module?.names.get(body.token) ?? namelessMethod(body)) : body;
    const place = statementAt(method, body.ilMap, at - body.start, innermost);
    return frame(namespace, name, moduleFacts(path, body), method, place, body.optimized || body.ilMap === undefined);
  };

  const codeFrame = (code: BundleCode, path: string, offset: number, innermost: boolean): ResolvedFrame => {
    const method = modules.get(path)?.methods.get(code.token);
    const map: IlMap | undefined = code.native && code.il && { native: code.native, il: code.il };
    const place = statementAt(method, map, offset + code.nativeOffset, innermost);
    return frame(code.namespace, code.name, moduleFacts(path), method, place, true);
  };

  const frame = (
    namespace: string,
    name: string,
    module: ModuleFacts,
    method: BundleMethod | undefined,
    point: number,
    near: boolean,
  ): ResolvedFrame => {
    const [writtenType, writtenName] = method?.writtenAs ?? [namespace, name];
    const file = method === undefined || point < 0 ? '' : bundle.files[method.file[point]].path;
    return {
      functionName: readableFunctionName(writtenType, writtenName),
      resolved: true,
      ...module,
      file,
      line: file === '' ? 0 : method!.line[point],
      near: file !== '' && near,
      firstLine: file === '' ? 0 : method!.firstLine,
      lastLine: file === '' ? 0 : method!.lastLine,
    };
  };

  const moduleFacts = (path: string, body?: CodeBody): ModuleFacts => {
    // Dynamic methods come without a module, or in one that has a name in the place of a path.
    const isDynamic = body !== undefined && (body.origin === 'dynamic' || body.token === 0);
    if (body !== undefined && (path === '' || (isDynamic && !path.includes('/')))) {
      return { moduleName: isDynamic ? '[dynamic code]' : '[unknown module]', modulePath: '', system: isDynamic };
    }
    const known = modules.get(path)?.module;
    const name = known?.name ?? moduleName(path);
    return { moduleName: name, modulePath: path, system: known?.system ?? isSystemPath(path, name) };
  };

  return {
    dependsOnTime,
    resolve(address, time, innermost) {
      if (dependsOnTime(address)) return lookUp(address, time, innermost);
      const cache = innermost ? caches.innermost : caches.calling;
      let found = cache.get(address);
      if (found === undefined) {
        found = lookUp(address, time, innermost);
        cache.set(address, found);
      }
      return found;
    },
  };
}

/** Files of the same path are the same file only with the same build id. */
export const nativeKey = ({ path, buildId }: { path: string; buildId: string }): string => `${buildId} ${path}`;

const NO_LINE = { file: '', line: 0, near: false, firstLine: 0, lastLine: 0 };

type ModuleFacts = Pick<ResolvedFrame, 'moduleName' | 'modulePath' | 'system'>;

interface IndexedModule {
  readonly module: BundleModule;
  /** By token. */
  readonly methods: ReadonlyMap<number, BundleMethod>;
  readonly names: ReadonlyMap<number, BundleName>;
  codeAt(rva: number): BundleCode | undefined;
}

function indexModule(module: BundleModule): IndexedModule {
  const code = [...module.code].sort((a, b) => a.rva - b.rva);
  const starts = Float64Array.from(code, (one) => one.rva);
  return {
    module,
    methods: new Map(module.methods.map((method) => [method.token, method])),
    names: new Map(module.names.map((name) => [name.token, name])),
    codeAt(rva) {
      const found = code[lastAtMost(starts, rva)];
      return found !== undefined && rva - found.rva < found.size ? found : undefined;
    },
  };
}

function isSystemPath(path: string, name: string): boolean {
  return isSystemLibrary(path) || isSystemModule({ path, name, publicKeyToken: '' });
}

const namelessMethod = (body: CodeBody) => ({ namespace: '', name: `[method 0x${body.token.toString(16)}]` });

function unresolvedFrame(address: number, image: { path: string; offset: number } | undefined): ResolvedFrame {
  const name = image && moduleName(image.path);
  return {
    functionName: image ? `${name}!+0x${image.offset.toString(16)}` : `[unknown 0x${address.toString(16)}]`,
    resolved: false,
    moduleName: name ?? '[unknown module]',
    modulePath: image?.path ?? '',
    system: image === undefined || isSystemPath(image.path, name ?? ''),
    ...NO_LINE,
  };
}
