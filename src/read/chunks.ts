import { open } from 'node:fs/promises';

const CHUNK_BYTES = 4 << 20;

/**
 * A file in large chunks; the next one is read while the caller looks at the present one. Two buffers take turns, so a
 * chunk is valid until the next is asked for.
 */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  const readInto = (buffer: Buffer) => {
    const reading = file.read(buffer, 0, buffer.length);
    // A failure is thrown where the chunk is awaited; until then it must not count as unhandled.
    reading.catch(() => {});
    return reading;
  };
  let ahead = readInto(Buffer.allocUnsafeSlow(CHUNK_BYTES));
  let free: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  try {
    for (;;) {
      const { bytesRead, buffer } = await ahead;
      if (bytesRead === 0) return;
      ahead = readInto(free);
      yield buffer.subarray(0, bytesRead);
      free = buffer;
    }
  } finally {
    await ahead.catch(() => {});
    await file.close();
  }
}
