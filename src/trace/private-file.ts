/**
 * How everything of a trace is created: it holds command lines, paths and names, so it is for its owner alone, whatever the
 * umask; who wants to share it says so with chmod.
 */
export const PRIVATE_FILE = { mode: 0o600 };
export const PRIVATE_FOLDER = { mode: 0o700 };
/** The same for a file that must not be there: whatever has its name, a link too, is not written through (O_EXCL). */
export const NEW_PRIVATE_FILE = { ...PRIVATE_FILE, flags: 'wx' };
