import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Small files with long work, which would be begun last and waited for alone. */
const LONGEST = ['agent', 'stories/story1', 'record/harmless', 'viewer/explore', 'stories/story2', 'package'];

/** Vitest begins with the largest files; these come before them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/**/*.long.test.ts'],
    globalSetup: ['test/support/shared-memory.ts'],
    // Real processes are started: a loaded 2-core machine must not turn a slow run into a failure.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    // One load of the modules for all files of a worker: no file changes what another reads.
    isolate: false,
    // Many tests wait for a process most of the time.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
  },
});
