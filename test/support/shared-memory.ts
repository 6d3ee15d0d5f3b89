import { existsSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';

/**
 * Vitest's global set-up: what the tests' killed recorders left in shared memory goes when the tests are done. A user's next
 * recording does so after a day; tests kill recorders by the dozen.
 */
export default function setup(): () => void {
  const started = Date.now();
  return () => {
    for (const name of readdirSync(SHARED_MEMORY).filter((one) => one.startsWith('memsurge-'))) {
      const path = join(SHARED_MEMORY, name);
      try {
        if (statSync(path).ctimeMs >= started && !existsSync(readlinkSync(join(path, 'recording')))) {
          rmSync(path, { recursive: true, force: true });
        }
      } catch {
        // Gone already, or not ours.
      }
    }
  };
}
