/** A key and what it does, for the page and for its list of keys. */
export interface KeyBinding {
  readonly keys: readonly string[];
  readonly does: string;
  run(): void;
}

const bindings: KeyBinding[] = [];

/** Makes keys work while nothing that is typed into has the focus; gives what takes them back. */
export function bindKeys(...added: readonly KeyBinding[]): () => void {
  bindings.push(...added);
  return () => {
    for (const binding of added) bindings.splice(bindings.indexOf(binding), 1);
  };
}

/** Keys that lists and trees know by themselves. */
export const LIST_KEYS: readonly { readonly keys: string; readonly does: string }[] = [
  { keys: '↑ ↓ Home End', does: 'select a row' },
  { keys: '→ ←', does: 'open and close a row of a tree, or go to its parent' },
  { keys: 'e', does: 'open a tree along its hot path' },
  { keys: 'Enter', does: 'show the code of a row, or filter by it' },
];

export const boundKeys = (): readonly KeyBinding[] => bindings;

export function listenForKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (typing && event.key !== 'Escape') return;
    const binding = bindings.findLast(({ keys }) => keys.includes(event.key));
    if (binding === undefined) return;
    event.preventDefault();
    binding.run();
  });
}
