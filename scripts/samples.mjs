import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILD, buildIfChanged, ROOT, runAsScript } from './dotnet.mjs';

/**
 * Builds the C# programs of samples/ into .build/samples/NAME/FRAMEWORK/ when their sources have changed. Those for .NET
 * 8 and 9 carry their runtime, which comes from NuGet the first time.
 */
export async function buildSamples() {
  await buildIfChanged('samples', 'samples.slnx', executables());
}

/** Path of a sample's executable, whether it is built or not. */
export function samplePath(name, framework = 'net10.0') {
  return join(BUILD, 'samples', name, framework, name);
}

/** Every sample's executable for every framework its project names. */
function executables() {
  return readdirSync(join(ROOT, 'samples'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const project = readFileSync(join(ROOT, 'samples', name, `${name}.csproj`), 'utf8');
      const frameworks = /<TargetFrameworks?>(.*)<\//.exec(project)[1].split(';');
      return frameworks.map((framework) => samplePath(name, framework));
    });
}

await runAsScript(import.meta.url, buildSamples);
