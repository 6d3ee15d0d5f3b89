import { spawnSync } from 'node:child_process';

/** Installs Debian's `packages`; false where that is not possible: another system, not root, no network. */
export function aptInstall(...packages) {
  // A fresh machine has no lists of packages, or old ones.
  return aptGet('install', ...packages) || (aptGet('update') && aptGet('install', ...packages));
}

function aptGet(command, ...packages) {
  const options = [
    '--yes',
    '--no-install-recommends',
    '-o',
    'DPkg::Lock::Timeout=120',
    '-o',
    'Acquire::http::Timeout=20',
  ];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', [command, ...options, ...packages], { env, stdio: 'ignore' }).status === 0;
}
