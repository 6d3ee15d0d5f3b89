/**
 * An error a user can act on: bad input, a refused question, a target that cannot be recorded. The message is one clear
 * line that says what is wrong and what to do next; commands print it and exit with `exitCode`.
 */
export class TraceError extends Error {
  override readonly name = 'TraceError';
  readonly exitCode: number;
  constructor(message: string, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What a system call can fail of without anybody's fault, in words; errno(3). */
const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of its path is not a folder',
  EISDIR: 'it is a folder',
  ELOOP: 'too many links follow each other',
  ENAMETOOLONG: 'the name is too long',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than is allowed, see ulimit -f',
  EROFS: 'the file system is read-only',
  EIO: 'the device reports an error',
  EMFILE: 'too many open files, see ulimit -n',
  ENFILE: 'too many open files on this machine',
  ENOMEM: 'not enough memory',
  EAGAIN: 'no more processes or threads can be started, see ulimit -u',
  EADDRINUSE: 'the address is in use',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the other side closed the connection',
  EPIPE: 'the other side closed the connection',
  ETXTBSY: 'the program is being written',
  E2BIG: 'arguments and environment are too long',
};

/** What Node throws of a system call. */
interface SystemError extends Error {
  readonly code: string;
  readonly path?: string;
}

/** Whether a system call failed for a reason that is nobody's mistake in this program. */
export function isForeseeable(error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'code' in error && String(error.code) in REASONS;
}

/** The message of anything that was thrown, for joining a cause to a sentence. */
export function messageOf(error: unknown): string {
  const path = isForeseeable(error) && error.path !== undefined ? `: ${error.path}` : '';
  return reasonOf(error) + path;
}

/** The same without the file's name: for a sentence that names what the user asked for, which may not be the file at hand. */
export function reasonOf(error: unknown): string {
  if (isForeseeable(error)) return REASONS[error.code];
  return error instanceof Error ? error.message : String(error);
}
