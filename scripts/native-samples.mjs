import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT, runAsScript } from './dotnet.mjs';

const TOOLS = ['make', 'cc', 'c++'];

/**
 * Builds the C and C++ programs of samples/ into .build/samples/native/, what has changed of them. A machine without the
 * tools gets one line that says so, and the tests that need these samples are left out.
 * @throws Error with what make printed when it fails.
 */
export function buildNativeSamples() {
  const missing = TOOLS.filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
  if (missing.length > 0) {
    console.error(`setup: no native samples, ${missing.join(' and ')} not found (Debian: apt install make gcc g++)`);
    return;
  }
  const { status, stderr } = spawnSync('make', ['--silent', '-C', join(ROOT, 'samples')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`make -C samples failed:\n${stderr.trim()}`);
}

await runAsScript(import.meta.url, buildNativeSamples);
