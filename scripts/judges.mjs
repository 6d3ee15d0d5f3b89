import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BUILD, buildIfChanged, dotnet, runAsScript } from './dotnet.mjs';

/** Builds the peers that tests and benchmarks compare memsurge with: TraceEvent's parsers and dotnet-trace. */
export async function buildJudges() {
  const project = 'traceevent-judge/traceevent-judge.csproj';
  await buildIfChanged('test/judges', project, [join(BUILD, 'judges', 'traceevent-judge', 'traceevent-judge')]);
  await installDotnetTrace();
}

async function installDotnetTrace() {
  const tools = join(BUILD, 'tools');
  if (existsSync(join(tools, 'dotnet-trace'))) return;
  console.error('setup: dotnet-trace …');
  await dotnet(['tool', 'install', '--tool-path', tools, 'dotnet-trace', '--version', '10.0.750501']);
}

await runAsScript(import.meta.url, buildJudges);
