/** The stream does not follow its format from here on; the reader keeps what came before. */
export class DamagedStream extends Error {}

export function damaged(what: string): never {
  throw new DamagedStream(what);
}
