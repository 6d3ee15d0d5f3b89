import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BUILD, buildIfChanged, ROOT, runAsScript } from './dotnet.mjs';
import { buildNativeSamples } from './native-samples.mjs';

/**
 * Builds the C# programs of samples/ into .build/samples/NAME/FRAMEWORK/ when their sources have changed, and those in C
 * and C++ into .build/samples/native/. The C# programs for .NET 8 and 9 carry their runtime, which comes from NuGet the
 * first time.
 */
export async function buildSamples() {
  buildNativeSamples();
  await buildIfChanged('samples', 'samples.slnx', executables());
}

/** Path of a C# sample's executable, whether it is built or not. */
export function samplePath(name, framework = 'net10.0') {
  return join(BUILD, 'samples', name, framework, name);
}

/** The executables of every project of the solution, for every framework it names. */
function executables() {
  const solution = readFileSync(join(ROOT, 'samples', 'samples.slnx'), 'utf8');
  return [...solution.matchAll(/Path="(.*?)"/g)].flatMap(([, path]) => {
    const project = readFileSync(join(ROOT, 'samples', path), 'utf8');
    const frameworks = /<TargetFrameworks?>(.*)<\//.exec(project)[1].split(';');
    return frameworks.map((framework) => samplePath(basename(path, '.csproj'), framework));
  });
}

await runAsScript(import.meta.url, buildSamples);
