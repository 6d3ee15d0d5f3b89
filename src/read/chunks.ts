import { close, read } from 'node:fs';
import { promisify } from 'node:util';
import { openRegular } from '../trace/regular-file.ts';

const CHUNK_BYTES = 4 << 20;

const readBytes = promisify(read);

/**
 * A file in large chunks, as much of it as there was at first: one that somebody writes to has no end. The next one is read while the caller looks at the present one. Two buffers take turns, so a
 * chunk is valid until the next is asked for.
 */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const { descriptor, size } = openRegular(path);
  let left = size;
  const readInto = (buffer: Buffer) => {
    const reading = readBytes(descriptor, buffer, 0, Math.min(buffer.length, left), null);
    // A failure is thrown where the chunk is awaited; until then it must not count as unhandled.
    reading.catch(() => {});
    return reading;
  };
  let filled: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let free: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let ahead = readInto(filled);
  try {
    for (;;) {
      const { bytesRead } = await ahead;
      if (bytesRead === 0) return;
      left -= bytesRead;
      [filled, free] = [free, filled];
      ahead = readInto(filled);
      yield free.subarray(0, bytesRead);
    }
  } finally {
    await ahead.catch(() => {});
    close(descriptor);
  }
}
