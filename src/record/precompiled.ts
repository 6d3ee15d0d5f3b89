import { readdirSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { readProc } from './proc.ts';

/** Composite images: `framework-r2r.dll`, `shop.r2r.dll` (dotnet/sdk, PrepareForReadyToRunCompilation). */
const COMPOSITE_IMAGE = /[.-]r2r\.dll$/i;

/**
 * Whether precompiled code of process `pid`, whose runtime has just connected, lies where its names cannot be looked up
 * later: in a single-file program (then the runtime is not a library beside it either), or in a composite image. False where
 * that cannot be seen.
 */
export function hidesPrecompiledCode(pid: number): boolean {
  try {
    const runtime = /(\/.*)\/libcoreclr\.so$/m.exec(readProc(pid, 'maps'))?.[1];
    if (runtime === undefined) return true;
    const folders = new Set([runtime, dirname(readlinkSync(`/proc/${pid}/exe`))]);
    return [...folders].some((folder) =>
      readdirSync(`/proc/${pid}/root${folder}`).some((name) => COMPOSITE_IMAGE.test(name)),
    );
  } catch {
    return false;
  }
}
