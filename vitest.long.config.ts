import { defineConfig } from 'vitest/config';
import standard from './vitest.config.ts';

/** Long loops and fuzzing: `npm run test:long`. */
export default defineConfig({
  test: { ...standard.test, include: ['test/**/*.long.test.ts'], exclude: [], testTimeout: 3_600_000 },
});
