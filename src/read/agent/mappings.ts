import { allocatorOf } from '../../symbols/native/allocators.ts';
import type { ResolvedFrame, Resolver } from '../../symbols/resolve.ts';
import { kindIndex } from '../../trace/kinds.ts';
import { NONE } from '../../trace/tables.ts';
import type { AgentCapture, AgentSites } from './capture.ts';

const MAPPED = kindIndex('mapped');
const HEAP = kindIndex('native-heap');
const RUNTIME = kindIndex('runtime');

/** The mappings of a process by who made them. */
export interface Mappings {
  /**
   * Row of KINDS per site: what the .NET runtime maps for itself is `runtime`; what an allocator maps whose blocks are not
   * seen is native heap, as far as that is known.
   */
  readonly kind: AgentSites['kind'];
  /** 1 per site of chunks from which an allocator gives out blocks that are counted: as mappings they would count twice. */
  readonly isChunk: Uint8Array;
  /** Live bytes of these chunks at the end, and of those whose blocks are not seen, and the allocators' names. */
  readonly chunks: Chunks;
  readonly unseen: Chunks;
}

interface Chunks {
  readonly bytes: number;
  readonly allocators: readonly string[];
}

/**
 * Tells mappings of the program from those of its allocator and of the .NET runtime. A mapping made below the agent's own
 * malloc is a chunk of whatever allocator that calls, known by name or not; so are the others of an allocator of which there is such
 * a one, made by its constructors and threads.
 */
export function sortMappings({ sites, stacks, seen }: AgentCapture, resolver: Resolver): Mappings {
  const kind = sites.kind.slice();
  const isChunk = new Uint8Array(sites.length);
  const framesOf = (row: number, isInnermost: boolean) => resolver.resolve(stacks.address[row], seen[row], isInnermost);
  const makers = Array.from({ length: sites.length }, (_, site) => {
    const stack = sites.stack[site];
    return sites.kind[site] === MAPPED && stack !== NONE && stack < stacks.length ? framesOf(stack, true) : [];
  });
  const isBelowAgent = (site: number): boolean => {
    for (let row = sites.stack[site]; row !== NONE; row = stacks.prefix[row]) {
      if (framesOf(row, false).some(isAgent)) return true;
    }
    return false;
  };
  const served = new Set<string>();
  makers.forEach((frames, site) => {
    if (frames.length === 0 || !isBelowAgent(site)) return;
    isChunk[site] = 1;
    served.add(frames[0].modulePath);
  });
  const names = { chunks: new Set<string>(), unseen: new Set<string>() };
  makers.forEach((frames, site) => {
    if (frames.length === 0) return;
    const allocator = frames.map(allocatorOfFrame).find((name) => name !== undefined);
    if (allocator !== undefined && served.has(frames[0].modulePath)) isChunk[site] = 1;
    if (isChunk[site] === 1) {
      names.chunks.add(allocator ?? frames[0].moduleName);
    } else if (allocator !== undefined) {
      kind[site] = HEAP;
      names.unseen.add(allocator);
    } else if (frames.some(isRuntime)) {
      kind[site] = RUNTIME;
    }
  });
  const live = (of: (site: number) => boolean) =>
    makers.reduce((sum, _, site) => sum + (of(site) ? sites.allocatedBytes[site] - sites.freedBytes[site] : 0), 0);
  return {
    kind,
    isChunk,
    chunks: { bytes: live((site) => isChunk[site] === 1), allocators: [...names.chunks] },
    unseen: {
      bytes: live((site) => kind[site] === HEAP && sites.kind[site] === MAPPED),
      allocators: [...names.unseen],
    },
  };
}

const isAgent = ({ moduleName }: ResolvedFrame) => /^libmemsurge(-tls)?\.so$/.test(moduleName);
const isRuntime = ({ moduleName }: ResolvedFrame) => /^libclr\w*\.so$|^libcoreclr\.so$/.test(moduleName);
const allocatorOfFrame = ({ functionName, moduleName }: ResolvedFrame) => allocatorOf(functionName, moduleName);
