/** The limit of open files, ours or the machine's, was reached: it may work later. */
export function isTooManyFiles(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EMFILE' || code === 'ENFILE';
}
