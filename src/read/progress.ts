/** How far opening a trace has come. */
export interface Progress {
  /** What is being done. */
  readonly text: string;
  /** Part of the bytes that were read, 0–1; undefined while nothing is read that could be counted. */
  readonly fraction: number | undefined;
}

export type OnProgress = (progress: Progress) => void;

/** Tells `onProgress` at every percent of `total` bytes, so that the callback costs nothing on large traces. */
export interface ByteProgress {
  /** What the bytes read from now on are. */
  begin(text: string): void;
  add(bytes: number): void;
  /** Passes on `chunks` of `size` bytes altogether and counts them; what is not read, because of damage, counts too. */
  counted(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array>;
}

export function byteProgress(total: number, onProgress: OnProgress): ByteProgress {
  let text = '';
  let read = 0;
  let percent = 0;
  const tell = () => onProgress({ text, fraction: total > 0 ? Math.min(1, read / total) : undefined });
  const add = (bytes: number) => {
    read += bytes;
    const now = Math.floor((100 * read) / total);
    if (now === percent) return;
    percent = now;
    tell();
  };
  return {
    begin(what) {
      text = what;
      tell();
    },
    add,
    async *counted(chunks, size) {
      let left = size;
      try {
        for await (const chunk of chunks) {
          add(chunk.length);
          left -= chunk.length;
          yield chunk;
        }
      } finally {
        add(Math.max(0, left));
      }
    },
  };
}
