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
}

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
const PT_INTERP = 3;
const ELF64_HEADER_BYTES = 64;
const ELF_CLASS = { at: 4, is64: 2 };
const MACHINE = 18;
const SEGMENTS = { offset: 32, entryBytes: 54, count: 56 };
const SEGMENT = { offset: 8, fileSize: 32, bytes: 56 };

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
    const read = (at: number, length: number) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, at));
    };
    const head = read(0, 256);
    const script = /^#!\s*(\S+)/.exec(head.toString('latin1'))?.[1];
    if (script !== undefined) return scripts < MAX_SCRIPTS ? programKind(script, scripts + 1) : undefined;
    if (head.length < ELF64_HEADER_BYTES || head.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
    const machine = head.readUInt16LE(MACHINE);
    const is64 = head[ELF_CLASS.at] === ELF_CLASS.is64;
    return { file: path, machine, interpreter: is64 ? interpreterOf(head, read) : '' };
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

function interpreterOf(head: Buffer, read: (at: number, length: number) => Buffer): string {
  const entryBytes = head.readUInt16LE(SEGMENTS.entryBytes);
  const count = head.readUInt16LE(SEGMENTS.count);
  const segments = read(Number(head.readBigUInt64LE(SEGMENTS.offset)), entryBytes * count);
  for (let at = 0; at + SEGMENT.bytes <= segments.length; at += entryBytes) {
    if (segments.readUInt32LE(at) !== PT_INTERP) continue;
    const path = read(
      Number(segments.readBigUInt64LE(at + SEGMENT.offset)),
      Math.min(4096, Number(segments.readBigUInt64LE(at + SEGMENT.fileSize))),
    );
    return path.toString('latin1').replace(/\0.*$/s, '');
  }
  return '';
}
