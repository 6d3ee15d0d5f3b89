import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { aptInstall } from './apt.mjs';
import { runAsScript } from './dotnet.mjs';

/** The first is the same browser without windows, and takes half the processor time. */
const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

/**
 * Path of the browser that shows the page to tests and for pictures: $CHROMIUM, or the first of its usual names on the PATH.
 * @throws Error with one line that says what to install.
 */
export function chromiumPath() {
  const given = process.env.CHROMIUM;
  if (given && !existsSync(given)) throw new Error(`CHROMIUM names ${given}, which is not there`);
  const found = given || chromiumOnPath();
  if (found) return found;
  throw new Error(
    'the page cannot be shown without Chromium: install it (Debian, as root: apt install chromium) or name one in CHROMIUM',
  );
}

/** Installs Chromium where it is missing and that is possible; where it is not, the tests of the page say so. */
export function installChromium() {
  if (process.env.CHROMIUM || onPath(NAMES.slice(0, 1))) return;
  console.error('setup: chromium …');
  if (!aptInstall(NAMES[0]) && !chromiumOnPath()) aptInstall('chromium');
}

const chromiumOnPath = () => onPath(NAMES);

function onPath(names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

await runAsScript(import.meta.url, () => {
  installChromium();
  console.log(chromiumPath());
});
