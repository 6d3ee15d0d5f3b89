import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

// A recorder mostly waits. A third of its processor time went into optimising what ran on for a moment only: V8 does so seven
// times later now. What reads large traces is left as it is.
if (['run', 'attach'].includes(process.argv[2])) v8.setFlagsFromString('--interrupt-budget=1000000');

// From Node 22.1 on: compiled code is kept, so that the next start is quicker; not in the folder for temporary files, where
// Node would put it, for that may be the recorded program's. Where it cannot be kept, nothing happens.
const { XDG_CACHE_HOME, HOME } = process.env;
const caches = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
if (caches) module.enableCompileCache?.(join(caches, 'memsurge'));

try {
  await import('../dist/cli/main.js');
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  const folder = dirname(dirname(fileURLToPath(import.meta.url)));
  process.stderr.write(`memsurge: not built yet, or not whole: run "npm run setup" in ${folder}\n`);
  process.exitCode = 2;
}
