// PLACEHOLDER until the native symbols land: the helper "native symbols" owns this file and replaces it.
export function allocatorFrame(name: string): boolean {
  return /^(malloc|calloc|realloc|operator new)/.test(name);
}
