import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall } from './apt.mjs';
import { BUILD, buildIfChanged, dotnet, runAsScript } from './dotnet.mjs';

/** What tests need of the system: judges of native memory, programs it is judged with, tools. In which package Debian has each. */
const DEBIAN_PACKAGES = {
  '/usr/bin/heaptrack': 'heaptrack',
  '/usr/bin/sqlite3': 'sqlite3',
  '/usr/bin/xmllint': 'libxml2-utils',
  '/usr/bin/python3': 'python3',
  '/usr/bin/musl-gcc': 'musl-tools',
  '/usr/bin/gcc': 'gcc',
  '/usr/bin/g++': 'g++',
  '/usr/bin/make': 'make',
  '/usr/bin/script': 'bsdutils',
  // Allocators of others, as libraries and to link with.
  '/usr/lib/x86_64-linux-gnu/libjemalloc.a': 'libjemalloc-dev',
  '/usr/lib/x86_64-linux-gnu/libmimalloc.so.2': 'libmimalloc2.0',
  '/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4': 'libtcmalloc-minimal4',
};

/**
 * Builds the peers that tests and benchmarks compare memsurge with: TraceEvent's parsers and dotnet-trace. Those that
 * are Debian's are installed where that is possible; tests of what is missing are counted as skipped.
 */
export async function buildJudges() {
  const project = 'traceevent-judge/traceevent-judge.csproj';
  await buildIfChanged('test/judges', project, [join(BUILD, 'judges', 'traceevent-judge', 'traceevent-judge')]);
  await installDotnetTrace();
}

/** Before anything is built: the samples need compilers. */
export function installDebianPackages() {
  const missing = Object.keys(DEBIAN_PACKAGES).filter((path) => !existsSync(path));
  if (missing.length === 0) return;
  const packages = missing.map((path) => DEBIAN_PACKAGES[path]);
  console.error(`setup: ${packages.join(', ')} …`);
  if (aptInstall(...packages)) return;
  console.error(`setup: tests that need them are left out (Debian, as root: apt install ${packages.join(' ')})`);
}

async function installDotnetTrace() {
  const tools = join(BUILD, 'tools');
  if (existsSync(join(tools, 'dotnet-trace'))) return;
  console.error('setup: dotnet-trace …');
  await dotnet(['tool', 'install', '--tool-path', tools, 'dotnet-trace', '--version', '10.0.750501']);
}

await runAsScript(import.meta.url, buildJudges);
