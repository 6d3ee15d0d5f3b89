import { defineConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** Of the suite, those files that leave variants out there. */
const WITH_ALL_VARIANTS = [
  ...['record/guardian', 'record/native-attach', 'record/run', 'record/single-file', 'record/blind-spots'],
  ...['stories/mixed', 'stories/parity', 'stories/story1', 'stories/story2'],
  ...['read/nettrace/containers', 'read/nettrace/fuzz', 'judges/heaptrack'],
  ...['symbols/native/lines', 'viewer/explore', 'viewer/looks'],
];

/** What takes minutes: long loops, fine grids, all variants, fuzzing. `npm run test:long`, after `npm test` has built what they need. */
export default defineConfig({
  test: {
    ...config.test,
    include: ['test/**/*.long.test.ts', ...WITH_ALL_VARIANTS.map((name) => `test/${name}.test.ts`)],
    exclude: [],
    env: { MEMSURGE_LONG: '1' },
    testTimeout: 3_600_000,
  },
});
