import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runAsScript } from './dotnet.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/**
 * Path of the browser that tests of the page drive: $CHROMIUM, or the first of its usual names on the PATH.
 * @throws Error with one line that says what to install.
 */
export function chromiumPath() {
  const given = process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const path = given ? [given] : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = path.find((one) => existsSync(one));
  if (found !== undefined) return found;
  throw new Error(
    given
      ? `CHROMIUM names ${given}, which is not there`
      : 'the page cannot be tested without Chromium: install it (Debian: apt install chromium) or name one in CHROMIUM',
  );
}

/** Installs Chromium where it is missing and that is possible; where it is not, the tests of the page say so. */
export function installChromium() {
  try {
    chromiumPath();
  } catch {
    if (process.env.CHROMIUM || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
    console.error('setup: chromium …');
    const apt = (...args) =>
      execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        stdio: ['ignore', 'ignore', 2],
      });
    try {
      apt('update');
      apt('install', '-y', '--no-install-recommends', 'chromium');
    } catch {
      console.error('setup: Chromium could not be installed, see above; the tests of the page will fail.');
    }
  }
}

await runAsScript(import.meta.url, () => {
  installChromium();
  console.log(chromiumPath());
});
