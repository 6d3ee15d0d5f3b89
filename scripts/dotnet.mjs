import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the repository; everything that is built goes below `.build`, which git ignores. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const BUILD = join(ROOT, '.build');

/**
 * Builds the C# `project` (a project or solution inside `folder`, which is relative to the root) unless all of the paths
 * `outputs` exist and no file of `folder` has changed since. `properties` are MSBuild's, as in `Name=value`.
 * @throws Error with one clear message when dotnet is missing or the build fails.
 */
export async function buildIfChanged(folder, project, outputs, properties = []) {
  const stamp = join(BUILD, `${join(folder, project).replaceAll('/', '-')}.stamp`);
  const hash = hashOf(join(ROOT, folder));
  const upToDate = existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
  if (upToDate && outputs.every((path) => existsSync(path))) return;

  console.error(`setup: ${join(folder, project)} …`);
  mkdirSync(BUILD, { recursive: true });
  rmSync(stamp, { force: true });
  // No build servers: they would outlive this script.
  await dotnet([
    'build',
    join(folder, project),
    '-c',
    'Release',
    '-v',
    'quiet',
    '-nodeReuse:false',
    '-p:UseSharedCompilation=false',
    ...properties.map((property) => `-p:${property}`),
  ]);
  writeFileSync(stamp, hash);
}

/**
 * Runs `dotnet` at the root and waits for it.
 * @throws Error with what it printed when it fails.
 */
export async function dotnet(args) {
  const child = spawn('dotnet', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const code = await new Promise((resolve, reject) => {
    child.on('error', () =>
      reject(
        new Error(
          'dotnet was not found: install the .NET 10 SDK from https://dotnet.microsoft.com/download and try again',
        ),
      ),
    );
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`dotnet ${args.join(' ')} failed:\n${output.trim()}`);
}

/** Runs `main` when the script at `url` was started directly; an error becomes its message and exit code 1. */
export async function runAsScript(url, main) {
  if (process.argv[1] !== fileURLToPath(url)) return;
  try {
    await main();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

function hashOf(folder) {
  const hash = createHash('sha256');
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const path of paths) hash.update(path).update('\0').update(readFileSync(path));
  return hash.digest('hex');
}
