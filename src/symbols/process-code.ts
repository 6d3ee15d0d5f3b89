import type { CodeBody, LoadedModule, MappedImage } from './code.ts';
import { type CodeMap, createCodeMap } from './code-map.ts';
import { lastAtMost } from './search.ts';

/** The code of one process, and the addresses on its stacks that names are wanted for. */
export interface ProcessCode {
  readonly pid: number;
  readonly code: readonly CodeBody[];
  readonly modules: readonly LoadedModule[];
  readonly images: readonly MappedImage[];
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
  /** True when more than one image was mapped there. */
  imageDependsOnTime(address: number): boolean;
  /** The module of a body, by the runtime's id; undefined when its load was not reported. */
  moduleOf(body: CodeBody): LoadedModule | undefined;
}

export function indexCode(
  process: Omit<ProcessCode, 'used' | 'types'>,
  inferred: readonly MappedImage[] = [],
): CodeIndex {
  const images = [...process.images, ...inferred].sort((a, b) => a.base - b.base || a.from - b.from);
  const bases = Float64Array.from(images, (image) => image.base);
  const longest = images.reduce((most, image) => Math.max(most, image.end - image.base), 0);
  const covering = (address: number): MappedImage[] => {
    const found: MappedImage[] = [];
    for (let i = lastAtMost(bases, address); i >= 0 && address - bases[i] < longest; i--) {
      if (images[i].end > address) found.push(images[i]);
    }
    return found;
  };
  const modules = new Map<number, LoadedModule[]>();
  for (const module of process.modules) {
    const sameId = modules.get(module.moduleId);
    if (sameId === undefined) modules.set(module.moduleId, [module]);
    else sameId.push(module);
  }
  return {
    bodies: createCodeMap(process.code),
    imageAt(address, time) {
      const found = covering(address);
      const before = found.filter((image) => image.from <= time);
      // The recorder sees a mapping some time after code in it may have run.
      return before.length > 0 ? newest(before) : found[0];
    },
    imageDependsOnTime: (address) => new Set(covering(address).map((image) => `${image.base} ${image.path}`)).size > 1,
    moduleOf(body) {
      if (body.moduleId === 0) return undefined;
      const found = modules.get(body.moduleId);
      return found?.find((module) => module.from <= body.from && body.from < module.to) ?? found?.at(-1);
    },
  };
}

const newest = (images: readonly MappedImage[]): MappedImage =>
  images.reduce((best, image) => (image.from > best.from ? image : best));
