/**
 * What a process told about its code: the input of symbol resolution. Addresses are plain numbers (user-space addresses
 * are below 2^47, so a double holds them exactly); times are ns on the process's monotonic clock.
 */

/** One compiled body of a managed method: a method has several over its life (tiers, OSR, ReJIT). */
export interface CodeBody {
  readonly start: number;
  /** Bytes of code. */
  readonly size: number;
  /** Time from which the body was known, and until when (Infinity while loaded). */
  readonly from: number;
  to: number;
  /** The runtime's ids: the method's, the body's version, the module's. 0 where the event has none. */
  readonly methodId: number;
  readonly rejitId: number;
  readonly moduleId: number;
  /** MethodDef token in the module's metadata; 0 for dynamic methods. */
  readonly token: number;
  /** Full type name, method name and signature as the runtime writes them. */
  readonly namespace: string;
  readonly name: string;
  readonly signature: string;
  readonly origin: 'jit' | 'r2r' | 'dynamic';
  /** True when the JIT optimised the code, so that few native offsets map to IL. */
  readonly optimized: boolean;
  /** Native offset → IL offset, ascending by native offset; negative IL offsets are prolog, epilog and no mapping. */
  ilMap?: { readonly native: Int32Array; readonly il: Int32Array };
}

/** A managed module the runtime loaded. */
export interface LoadedModule {
  readonly moduleId: number;
  /** Path of the IL image; empty for dynamic modules. */
  readonly path: string;
  readonly from: number;
  to: number;
  /** Identity of its PDB as the runtime reports it: GUID in the usual text form, age; empty when none. */
  readonly pdbGuid: string;
  readonly pdbAge: number;
  readonly pdbPath: string;
}

/** An image file mapped into the process, from /proc/PID/maps: address = base + RVA for an image mapped at `base`. */
export interface MappedImage {
  readonly path: string;
  readonly base: number;
  readonly end: number;
  /** When the mapping was seen first, ns. */
  readonly from: number;
}

/** An ELF image in a process's memory: address − bias is the address in the file's own program headers. */
export interface NativeModule {
  readonly path: string;
  /** Lower-case hex, empty without one. */
  readonly buildId: string;
  readonly start: number;
  readonly end: number;
  readonly bias: number;
  readonly from: number;
  /** Infinity while mapped. */
  readonly to: number;
}
