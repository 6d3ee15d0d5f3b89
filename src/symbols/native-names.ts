import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BundleNative } from './bundle.ts';
import type { NativeModule } from './code.ts';
import type { ImageSource } from './images.ts';
import { openNativeSymbols } from './native/index.ts';
import { nativeKey } from './resolve.ts';
import type { SourceFiles } from './sources.ts';
import { isSystemLibrary } from './user-code.ts';

/** The call sites in ELF images that names are wanted for. */
export interface NativeNames {
  /** `site`: address of the call in the file's program headers; `pid`: a process that sees the file. */
  want(module: NativeModule, site: number, pid: number): void;
  finish(): Promise<BundleNative[]>;
}

interface Wanted {
  readonly module: NativeModule;
  readonly pid: number;
  readonly sites: Set<number>;
}

export function createNativeNames(
  images: ImageSource,
  sources: SourceFiles,
  onImage: (path: string) => void,
): NativeNames {
  const wanted = new Map<string, Wanted>();
  return {
    want(module, site, pid) {
      const key = nativeKey(module);
      const known = wanted.get(key) ?? { module, pid, sites: new Set() };
      wanted.set(key, known);
      known.sites.add(site);
    },
    async finish() {
      const found: BundleNative[] = [];
      for (const one of wanted.values()) {
        onImage(one.module.path);
        found.push(nameSites(one, images, sources));
        // Large images take a moment each: let a progress line live.
        await nextTurn();
      }
      return found;
    },
  };
}

function nameSites({ module, pid, sites }: Wanted, images: ImageSource, sources: SourceFiles): BundleNative {
  const symbols = openNativeSymbols(module.path, module.buildId, (path) => images(path, pid));
  const address = [...sites].sort((a, b) => a - b);
  const rows = new Map<string, number>();
  const named: BundleNative = {
    path: module.path,
    buildId: module.buildId,
    notes: [...symbols.notes],
    functions: [],
    declared: [],
    address,
    first: [0],
    function: [],
    file: [],
    line: [],
  };
  try {
    for (const site of address) {
      for (const frame of symbols.frames(site)) {
        let row = rows.get(frame.function);
        if (row === undefined) {
          row = named.functions.push(frame.function) - 1;
          named.declared.push(frame.declLine);
          rows.set(frame.function, row);
        }
        named.function.push(row);
        named.file.push(frame.file === '' ? -1 : sources.path(frame, pid, !isSystemLibrary(module.path)));
        named.line.push(frame.line);
      }
      named.first.push(named.function.length);
    }
  } finally {
    symbols.close();
  }
  return named;
}
