import type { CodeBody, LoadedModule, MappedImage, NativeModule } from './code.ts';
import { type CodeMap, createCodeMap } from './code-map.ts';
import { lastAtMost } from './search.ts';

/** The code of one process, and the addresses on its stacks that names are wanted for. */
export interface ProcessCode {
  readonly pid: number;
  readonly code: readonly CodeBody[];
  readonly modules: readonly LoadedModule[];
  readonly images: readonly MappedImage[];
  /** ELF images that native stacks lead into. */
  readonly native: readonly NativeModule[];
  /** Addresses as they are on the stacks, each with a time (ns) of use; columns of equal length. */
  readonly used: { readonly address: Float64Array; readonly time: Float64Array };
  /** Types whose names lack their outer types, with the innermost addresses (and a time each) that allocated them. */
  readonly types: readonly {
    readonly handle: number;
    readonly name: string;
    readonly sites: readonly { readonly address: number; readonly time: number }[];
  }[];
}

/** Finds what lies at an address of one process. Addresses are call sites, not return addresses. */
export interface CodeIndex {
  /** Code that was compiled or generated while the process ran, or whatever else the runtime reported. */
  readonly bodies: CodeMap;
  imageAt(address: number, time: number): MappedImage | undefined;
  nativeAt(address: number, time: number): NativeModule | undefined;
  /** True when different methods were there at different times, or different images were mapped, managed or native. */
  dependsOnTime(address: number): boolean;
  /** The module of a body, by the runtime's id; undefined when its load was not reported. */
  moduleOf(body: CodeBody): LoadedModule | undefined;
}

export function indexCode(
  process: Omit<ProcessCode, 'used' | 'types'>,
  inferred: readonly MappedImage[] = [],
): CodeIndex {
  const imagesAt = createCover([...process.images, ...inferred], ({ base, end }) => [base, end]);
  const nativesAt = createCover(process.native, ({ start, end }) => [start, end]);
  const modules = new Map<number, LoadedModule[]>();
  for (const module of process.modules) {
    const sameId = modules.get(module.moduleId);
    if (sameId === undefined) modules.set(module.moduleId, [module]);
    else sameId.push(module);
  }
  const bodies = createCodeMap(process.code);
  // The same few addresses stand on very many stacks.
  const varies = new Map<number, boolean>();
  const imageVaries = (address: number) =>
    new Set(imagesAt(address).map((image) => `${image.base} ${image.path}`)).size > 1 ||
    new Set(nativesAt(address).map((module) => `${module.bias} ${module.path}`)).size > 1;
  return {
    bodies,
    imageAt(address, time) {
      return asOf(imagesAt(address), time);
    },
    nativeAt(address, time) {
      return asOf(nativesAt(address), time);
    },
    dependsOnTime(address) {
      let known = varies.get(address);
      if (known === undefined) {
        known = bodies.dependsOnTime(address) || imageVaries(address);
        varies.set(address, known);
      }
      return known;
    },
    moduleOf(body) {
      if (body.moduleId === 0) return undefined;
      const found = modules.get(body.moduleId);
      return found?.find((module) => module.from <= body.from && body.from < module.to) ?? found?.at(-1);
    },
  };
}

/** Finds which of `items` cover an address; they are few and seldom overlap. */
function createCover<T>(
  items: readonly T[],
  boundsOf: (item: T) => readonly [number, number],
): (address: number) => T[] {
  const sorted = [...items].sort((a, b) => boundsOf(a)[0] - boundsOf(b)[0]);
  const starts = Float64Array.from(sorted, (item) => boundsOf(item)[0]);
  const longest = sorted.reduce((most, item) => Math.max(most, boundsOf(item)[1] - boundsOf(item)[0]), 0);
  return (address) => {
    const found: T[] = [];
    for (let i = lastAtMost(starts, address); i >= 0 && address - starts[i] < longest; i--) {
      if (boundsOf(sorted[i])[1] > address) found.push(sorted[i]);
    }
    return found;
  };
}

/** What was mapped at a time. The recorder sees a mapping some time after code in it may have run. */
function asOf<T extends { readonly from: number }>(found: readonly T[], time: number): T | undefined {
  const before = found.filter((one) => one.from <= time);
  if (before.length === 0) return found[0];
  return before.reduce((best, one) => (one.from > best.from ? one : best));
}
