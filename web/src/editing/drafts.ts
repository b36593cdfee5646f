/** Edits that are not saved yet, kept in the browser, so that a page that crashes loses none. */

import type { Structure } from "./history";
import type { Samples } from "./labels";
import type { Edits } from "./thingeditor";

export interface Draft {
  /** Id of the result that is edited. */
  readonly job: string;
  /** Milliseconds since 1970. */
  readonly when: number;
  readonly structures: readonly Structure[];
  /** Of a result of things: what was done to them. */
  readonly things?: Edits;
}

const [DRAFTS, SLICES] = ["drafts", "slices"] as const;
const KEPT_MS = 30 * 24 * 3600 * 1000;

/** The browser's database; drafts older than a month are dropped on the way. */
async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open("delineate-edits", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(DRAFTS, { keyPath: "job" });
    request.result.createObjectStore(SLICES);
  };
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser keeps no edits"));
  });
}

/** Do something with both stores, all or nothing. */
async function within<T>(mode: IDBTransactionMode, act: (drafts: IDBObjectStore, slices: IDBObjectStore) => Promise<T>): Promise<T> {
  const database = await open();
  try {
    const transaction = database.transaction([DRAFTS, SLICES], mode);
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("the browser has no room for edits"));
    });
    const result = await act(transaction.objectStore(DRAFTS), transaction.objectStore(SLICES));
    await ended;
    return result;
  } finally {
    database.close();
  }
}

const slicesOf = (job: string) => IDBKeyRange.bound([job, 0], [job, Infinity]);

/** Keep a draft; of its slices those that are given, the others stay as they were kept. */
export function keep(draft: Draft, slices: ReadonlyMap<number, Samples>): Promise<void> {
  return within("readwrite", async (drafts, kept) => {
    drafts.put(draft);
    for (const [index, samples] of slices) kept.put(samples, [draft.job, index]);
  });
}

/** What is kept of a result's edits. */
export function find(job: string): Promise<Draft | undefined> {
  return within("readwrite", async (drafts, kept) => {
    for (const draft of (await done(drafts.getAll())) as Draft[]) {
      if (Date.now() - draft.when < KEPT_MS) continue;
      drafts.delete(draft.job);
      kept.delete(slicesOf(draft.job));
    }
    return (await done(drafts.get(job))) as Draft | undefined;
  });
}

/** The slices of a draft, by index. */
export function load(job: string): Promise<[number, Samples][]> {
  return within("readonly", async (_, kept) => {
    const range = slicesOf(job);
    const [keys, values] = await Promise.all([done(kept.getAllKeys(range)), done(kept.getAll(range))]);
    return keys.map((key, i) => [(key as [string, number])[1], values[i] as Samples]);
  });
}

export function drop(job: string): Promise<void> {
  return within("readwrite", async (drafts, kept) => {
    drafts.delete(job);
    kept.delete(slicesOf(job));
  });
}
