import { defineConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** What takes minutes: long loops, fine grids, fuzzing. `npm run test:long`, after `npm test` has built what they need. */
export default defineConfig({
  test: { ...config.test, include: ['test/**/*.long.test.ts'], exclude: [], testTimeout: 3_600_000 },
});
