import { readU8, readU16, readUtf16, skip } from './bytes.ts';
import type { EventHandler } from './event.ts';

/**
 * RuntimeInformationStart (187, both providers): u16 CLR instance, u16 SKU, 4 × u16 version of the class library,
 * 4 × u16 version of the VM, u32 flags, u8 mode, command line, … (ClrEtwAll.man, template RuntimeInformation).
 */
export const runtimeInformation: EventHandler = (event, process) => {
  skip(event, 12);
  const major = readU16(event);
  const minor = readU16(event);
  const build = readU16(event);
  skip(event, 6);
  readU8(event);
  const commandLine = readUtf16(event);
  // File versions since .NET 5: the build is the patch times 100 plus the year ("10.0.1226" is 10.0.12).
  process.runtime = major >= 5 ? `.NET ${major}.${minor}.${Math.floor(build / 100)}` : '.NET Core';
  if (commandLine !== '') process.commandLine = commandLine;
};

/** ProcessInfo of the stream's own provider (dotnet/runtime src/native/eventpipe/ep-event-source.c): command line, OS, architecture. */
export const processInfo: EventHandler = (event, process) => {
  const commandLine = readUtf16(event);
  if (process.commandLine === '') process.commandLine = commandLine;
};
