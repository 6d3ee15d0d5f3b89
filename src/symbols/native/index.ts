import type { ImageFile } from '../images.ts';

// PLACEHOLDER until the native symbols land: the helper "native symbols" owns this file and replaces it.
export interface NativeFrame {
  readonly function: string;
  readonly file: string;
  readonly line: number;
  readonly inlined: boolean;
}
export interface NativeSymbols {
  readonly notes: readonly string[];
  frames(offset: number): readonly NativeFrame[];
  close(): void;
}
export async function openNativeSymbols(
  _path: string,
  _buildId: string,
  _open: (path: string) => ImageFile | undefined,
): Promise<NativeSymbols | undefined> {
  return undefined;
}
