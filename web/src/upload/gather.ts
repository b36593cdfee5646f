/** Files out of what was dropped or chosen, folders included. */

export interface Gathered {
  readonly file: File;
  /** Name with the folders above it; shown only, never trusted. */
  readonly path: string;
}

/** Files of an `<input type=file>`, with or without `webkitdirectory`. */
export function chosen(list: FileList): Gathered[] {
  return Array.from(list, (file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/**
 * Files of a drop. Call it within the event: entries must be taken before the first `await`, as the
 * browser empties the list after it.
 */
export async function dropped(items: DataTransferItemList): Promise<Gathered[]> {
  const entries: FileSystemEntry[] = [];
  const loose: Gathered[] = [];
  for (const item of Array.from(items)) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry();
    const file = entry ? null : item.getAsFile();
    if (entry) entries.push(entry);
    else if (file) loose.push({ file, path: file.name });
  }
  const nested = await Promise.all(entries.map((entry) => walk(entry, "")));
  return [...loose, ...nested.flat()];
}

async function walk(entry: FileSystemEntry, above: string): Promise<Gathered[]> {
  const path = above ? `${above}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [{ file, path }];
  }
  if (!entry.isDirectory) return [];
  const found: Gathered[] = [];
  for (const child of await children(entry as FileSystemDirectoryEntry)) {
    found.push(...(await walk(child, path)));
  }
  return found;
}

/** A browser hands out at most 100 entries a call, and an empty list at the end. */
export async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return all;
    all.push(...some);
  }
}
