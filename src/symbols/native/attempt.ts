import { TraceError } from '../../trace/errors.ts';

/** Takes a line on what cannot be used, and why. */
export type Note = (text: string) => void;

/** What `read` returns; undefined when it met damage, which `note` is told of. `what` is being read. */
export function attempt<T>(note: Note, what: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof TraceError) note(error.message);
    else if (error instanceof RangeError) note(`${what} is damaged (${error.message})`);
    else throw error;
    return undefined;
  }
}
