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

/** The message of anything that was thrown, for joining a cause to a sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
