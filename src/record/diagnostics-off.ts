import { readProc } from './proc.ts';

/**
 * What in the environment of process `pid` keeps a .NET runtime from telling anything, for example
 * "DOTNET_EnableDiagnostics=0"; undefined: nothing, or it cannot be seen. The runtime reads such values as hexadecimal numbers, and those of
 * its older name COMPlus_ too (clrconfignative, `CLRConfig::IsConfigOptionSpecified`).
 */
export function diagnosticsOff(pid: number): string | undefined {
  try {
    return switchIn(readProc(pid, 'environ').split('\0'));
  } catch {
    return undefined;
  }
}

/** The same of a program that gets our own environment, and may have ended before it can be asked. */
export const diagnosticsOffHere = (): string | undefined =>
  switchIn(Object.entries(process.env).map(([name, value]) => `${name}=${value}`));

const switchIn = (variables: readonly string[]) => variables.find((one) => SWITCH.test(one));

const SWITCH = /^(DOTNET|COMPlus)_EnableDiagnostics(_IPC)?=(0x)?0+$/;
