import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Why the agent cannot be preloaded into what `command` starts, found out before it starts; undefined where it can, and
 * where that cannot be told: a command that is not found, a file that is neither ELF nor a script.
 */
export function whyNotPreloadable(command: string, path?: string): string | undefined {
  const file = findProgram(command, path);
  const kind = file === undefined ? undefined : programKind(file);
  if (kind === undefined) return undefined;
  if (kind.machine !== EM_X86_64)
    return `native memory can be recorded of x64 programs only, and ${kind.file} is not one`;
  if (isMusl(kind)) {
    return `native memory of programs that are linked with musl cannot be recorded, and ${kind.file} is one`;
  }
  if (kind.sanitizer !== undefined) {
    return `native memory of programs that are built with a sanitizer cannot be recorded, and ${kind.file} is one (${kind.sanitizer})`;
  }
  return undefined;
}

/**
 * Why the agent cannot begin in what `command` starts itself, though it may in what that starts in turn; undefined where it can.
 */
export function whyNotInItself(command: string): string | undefined {
  const file = findProgram(command);
  const kind = file === undefined ? undefined : programKind(file);
  if (kind === undefined) return undefined;
  if (kind.interpreter === '') {
    return `native memory of statically linked programs cannot be recorded, and ${kind.file} is one`;
  }
  if (changesUser(kind.file)) {
    return `native memory of set-user-id programs cannot be recorded, and ${kind.file} is one`;
  }
  return undefined;
}

/** The loader ignores LD_PRELOAD in a program that runs as another user or group than it was started by (ld.so(8)). */
export function changesUser(file: string): boolean {
  const { mode, uid, gid } = statSync(file);
  return (
    ((mode & 0o4000) !== 0 && uid !== process.geteuid?.()) || ((mode & 0o2000) !== 0 && gid !== process.getegid?.())
  );
}

export interface ProgramKind {
  /** The ELF file: for a script its interpreter. */
  readonly file: string;
  /** e_machine. */
  readonly machine: number;
  /** Path of the loader it asks for (PT_INTERP); empty when it is linked statically. */
  readonly interpreter: string;
  /** The sanitizer whose runtime is in it: that insists on being loaded first. Undefined: none. */
  readonly sanitizer: string | undefined;
}

/** By what each runtime is entered; agent/src/bears.c looks for the same in the programs that a recorded one starts. */
const SANITIZERS: Readonly<Record<string, string>> = {
  __asan_init: 'AddressSanitizer',
  __tsan_init: 'ThreadSanitizer',
  __msan_init: 'MemorySanitizer',
  __lsan_init: 'LeakSanitizer',
  __hwasan_init: 'HWAddressSanitizer',
  __sanitizer_symbolize_code: 'a sanitizer', // what is left to see of one that is linked in statically
};

/** Debian's loader is a link to musl's libc.so, so the name it is asked for by tells, and not what is mapped. */
export const isMusl = ({ interpreter }: ProgramKind): boolean => /\/ld-musl-/.test(interpreter);

/** Where the shell would find `command`. */
export function findProgram(command: string, path = process.env.PATH ?? ''): string | undefined {
  if (command.includes('/')) return command;
  return path
    .split(':')
    .map((folder) => join(folder || '.', command))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Offsets in a 64-bit ELF file ("System V ABI", gABI chapter 4; elf.h). */
export const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const ELF64_HEADER_BYTES = 64;
const ELF_CLASS = { at: 4, is64: 2 };
const MACHINE = 18;
const SEGMENTS = { offset: 32, entryBytes: 54, count: 56 };
const SEGMENT = { offset: 8, address: 16, fileSize: 32, bytes: 56 };
const DYNAMIC_BYTES = 16;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
/** A damaged file may claim any size. */
const MAX_NAMES_BYTES = 64 * 1024 * 1024;

/** A script may name a script as its interpreter; Linux follows four. */
const MAX_SCRIPTS = 5;

/** What kind of program lies at `path`; undefined when it is neither ELF nor a script, or cannot be read. */
export function programKind(path: string, scripts = 0): ProgramKind | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const read: Read = (at, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, at));
    };
    const head = read(0, 256);
    const script = /^#!\s*(\S+)/.exec(head.toString('latin1'))?.[1];
    if (script !== undefined) return scripts < MAX_SCRIPTS ? programKind(script, scripts + 1) : undefined;
    if (head.length < ELF64_HEADER_BYTES || head.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
    const machine = head.readUInt16LE(MACHINE);
    const is64 = head[ELF_CLASS.at] === ELF_CLASS.is64;
    const segments = is64 ? segmentsOf(head, read) : [];
    return { file: path, machine, interpreter: interpreterOf(segments, read), sanitizer: sanitizerOf(segments, read) };
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

type Read = (at: number, length: number) => Buffer;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

function segmentsOf(head: Buffer, read: Read): Segment[] {
  const entryBytes = head.readUInt16LE(SEGMENTS.entryBytes);
  const table = read(Number(head.readBigUInt64LE(SEGMENTS.offset)), entryBytes * head.readUInt16LE(SEGMENTS.count));
  const segments: Segment[] = [];
  for (let at = 0; at + SEGMENT.bytes <= table.length; at += entryBytes) {
    const number = (offset: number) => Number(table.readBigUInt64LE(at + offset));
    segments.push({
      type: table.readUInt32LE(at),
      offset: number(SEGMENT.offset),
      address: number(SEGMENT.address),
      fileSize: number(SEGMENT.fileSize),
    });
  }
  return segments;
}

function interpreterOf(segments: readonly Segment[], read: Read): string {
  const segment = segments.find(({ type }) => type === PT_INTERP);
  if (segment === undefined) return '';
  return read(segment.offset, Math.min(4096, segment.fileSize)).toString('latin1').replace(/\0.*$/s, '');
}

/** Among the names of the symbols that it defines or needs. */
function sanitizerOf(segments: readonly Segment[], read: Read): string | undefined {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return undefined;
  const rows = read(dynamic.offset, Math.min(65_536, dynamic.fileSize));
  const entryOf = (tag: number): number => {
    for (let at = 0; at + DYNAMIC_BYTES <= rows.length; at += DYNAMIC_BYTES) {
      if (Number(rows.readBigInt64LE(at)) === tag) return Number(rows.readBigUInt64LE(at + 8));
    }
    return 0;
  };
  const address = entryOf(DT_STRTAB);
  const around = segments.find(
    (one) => one.type === PT_LOAD && address >= one.address && address < one.address + one.fileSize,
  );
  if (around === undefined) return undefined;
  const names = read(address - around.address + around.offset, Math.min(MAX_NAMES_BYTES, entryOf(DT_STRSZ)));
  const found = Object.keys(SANITIZERS).find((name) => names.includes(`\0${name}\0`, 0, 'latin1'));
  return found === undefined ? undefined : SANITIZERS[found];
}
