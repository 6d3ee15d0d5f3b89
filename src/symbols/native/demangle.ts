import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ByteReader } from './reader.ts';

/** The part of the global that is used here; the type definitions of Node 20 have none of it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  readonly RuntimeError: new () => Error;
};

/** What gecko-profiler-demangle exports: strings are passed as pointer and length of UTF-8. */
interface Demangler {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly __wbindgen_export_0: { grow(by: number): number };
  __wbindgen_malloc(size: number, alignment: number): number;
  __wbindgen_free(pointer: number, size: number, alignment: number): void;
  __wbindgen_start(): void;
  demangle_any(pointer: number, length: number): [number, number];
}

const MAX_NAME_CHARACTERS = 16 * 1024;
/** In pages of 64 KiB. A name of 200 characters can stand for gigabytes, each part twice the one before. */
const MAX_MEMORY_PAGES = 64;
const MEMORY_SECTION = 5;
const MODULE_HEADER_BYTES = 8;

const require = createRequire(import.meta.url);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
let module: object | undefined;
let instance: Demangler | undefined;

/**
 * The name of a function as its language writes it: C++ with arguments (Itanium ABI), Rust without its hash. A name that
 * is not mangled, or cannot be taken apart, comes back as it is.
 */
export function demangle(name: string): string {
  if (!/^_*(Z|R[A-Z])/.test(name) || name[0] !== '_' || name.length > MAX_NAME_CHARACTERS) return name;
  try {
    instance ??= instantiate();
    return takenApart(instance, name) ?? nameAlone(instance, name) ?? name;
  } catch (error) {
    // Out of memory or stack within the module: its state is not to be trusted any more.
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) throw error;
    instance = undefined;
    return name;
  }
}

function takenApart(demangler: Demangler, name: string): string | undefined {
  const result = callDemangler(demangler, name);
  // What it cannot take apart comes back without its first underscore.
  return name.endsWith(result) ? undefined : tidied(result);
}

const MAX_ENDS = 64;

/**
 * A template's function without its result and its parameters, which may be expressions that cannot be taken apart, as those
 * of `make_shared` (`enable_if`). The first part of the name that is a whole one by itself, up to the end of its arguments.
 */
function nameAlone(demangler: Demangler, name: string): string | undefined {
  let end = name.indexOf('E');
  for (let ends = 0; end >= 0 && ends < MAX_ENDS; ends++, end = name.indexOf('E', end + 1)) {
    const part = takenApart(demangler, name.slice(0, end + 1));
    if (part?.endsWith('>')) return part;
  }
  return undefined;
}

/** Empty packs of arguments leave their commas, and a thunk stands for the function it jumps to. */
function tidied(name: string): string {
  const thunk = /^\{virtual override thunk\(\{[^}]*\}, (.*)\)\}$/.exec(name);
  return (thunk?.[1] ?? name).replace(/, (&&?)?(?=[>)])/g, '').replace(/\(&&?\)(?! \[|\()/g, '()');
}

function callDemangler(demangler: Demangler, name: string): string {
  const input = encoder.encode(name);
  const pointer = demangler.__wbindgen_malloc(input.length, 1) >>> 0;
  new Uint8Array(demangler.memory.buffer).set(input, pointer);
  // Takes the input over and frees it.
  const [at, length] = demangler.demangle_any(pointer, input.length);
  const result = decoder.decode(new Uint8Array(demangler.memory.buffer, at >>> 0, length >>> 0));
  demangler.__wbindgen_free(at, length, 1);
  return result;
}

function instantiate(): Demangler {
  const path = require.resolve('gecko-profiler-demangle/index_bg.wasm');
  module ??= new WebAssembly.Module(withBoundedMemory(readFileSync(path)));
  const demangler: Demangler = new WebAssembly.Instance(module, {
    './index_bg.js': {
      // The table of JavaScript values, of which none is passed here.
      __wbindgen_init_externref_table: () => {
        demangler.__wbindgen_export_0.grow(4);
      },
    },
  }).exports as Demangler;
  demangler.__wbindgen_start();
  return demangler;
}

/**
 * The module with a memory that cannot grow beyond `MAX_MEMORY_PAGES`: its memory section ("WebAssembly Core", 5.5.8),
 * one memory with no maximum, is written anew.
 */
function withBoundedMemory(bytes: Uint8Array): Uint8Array {
  const reader = new ByteReader(bytes, MODULE_HEADER_BYTES);
  while (reader.at < bytes.length) {
    const start = reader.at;
    const id = reader.u8();
    const size = reader.uleb();
    const content = new ByteReader(bytes, reader.at);
    reader.skip(size);
    if (id !== MEMORY_SECTION) continue;
    if (content.u8() !== 1 || content.u8() !== 0) return bytes;
    const minimum = content.uleb();
    const limits = [1, 1, ...uleb(minimum), ...uleb(Math.max(minimum, MAX_MEMORY_PAGES))];
    const section = [MEMORY_SECTION, limits.length, ...limits];
    return Buffer.concat([bytes.subarray(0, start), Uint8Array.from(section), bytes.subarray(reader.at)]);
  }
  return bytes;
}

const uleb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...uleb(value >> 7)]);
