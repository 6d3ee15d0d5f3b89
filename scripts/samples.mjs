import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BUILD, buildIfChanged, ROOT, runAsScript } from './dotnet.mjs';
import { buildNativeSamples } from './native-samples.mjs';

/**
 * Builds the C# programs of samples/ into .build/samples/NAME/FRAMEWORK/ when their sources have changed, and those in C
 * and C++ into .build/samples/native/. The C# programs for .NET 8, 9 and 11 carry their runtime, which comes from NuGet the
 * first time.
 */
export async function buildSamples() {
  buildNativeSamples();
  await buildIfChanged('samples', 'samples.slnx', executables('samples.slnx'));
  await buildIfChanged('samples', 'net11.slnx', executables('net11.slnx', ['net11.0']), [
    'RunsOn=net11.0',
    'TargetFrameworks=net10.0',
  ]);
}

/** Path of a C# sample's executable, whether it is built or not. */
export function samplePath(name, framework = 'net10.0') {
  return join(BUILD, 'samples', name, framework, name);
}

/** The executables of every project of a solution, for the frameworks that each names, or `frameworks`. */
function executables(solution, frameworks) {
  const text = readFileSync(join(ROOT, 'samples', solution), 'utf8');
  return [...text.matchAll(/Path="(.*?)"/g)].flatMap(([, path]) => {
    const project = readFileSync(join(ROOT, 'samples', path), 'utf8');
    const named = frameworks ?? /<TargetFrameworks?>(.*)<\//.exec(project)[1].split(';');
    return named.map((framework) => samplePath(basename(path, '.csproj'), framework));
  });
}

await runAsScript(import.meta.url, buildSamples);
