/* Finds the files in what a person drops or picks: files, whole folders, zip archives. */

import { Refusal, isArchive, isJunk, members } from "./archive.js";

const UNREADABLE = "The browser could not read it. Is it still there?";

/* What was dropped, taken at once: the browser forgets it as soon as the event is over. */
export function dropped(transfer) {
  return [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile())
    .filter(Boolean);
}

/* One {path, read} after the other, or {path, refusal}; read() gives a File. */
export async function* found(sources, limits) {
  for (const source of sources) {
    if (source instanceof File) {
      yield* opened(source.webkitRelativePath || source.name, source, limits);
    } else {
      yield* inEntry(source, source.name, limits);
    }
  }
}

async function* inEntry(entry, path, limits) {
  if (isJunk(path)) return;
  try {
    if (entry.isFile) {
      yield* opened(path, await new Promise((resolve, reject) => entry.file(resolve, reject)), limits);
      return;
    }
    const reader = entry.createReader();
    let batch; // a reader gives a hundred at a time, and nothing once it has given all
    do {
      batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      batch.sort((one, other) => one.name.localeCompare(other.name));
      for (const inner of batch) yield* inEntry(inner, `${path}/${inner.name}`, limits);
    } while (batch.length);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    yield { path, refusal: UNREADABLE };
  }
}

async function* opened(path, file, limits) {
  if (isJunk(path)) return;
  try {
    if (await isArchive(file)) {
      for (const member of await members(file, limits)) {
        yield { ...member, path: `${path}/${member.path}` };
      }
    } else {
      yield { path, read: async () => file };
    }
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof DOMException)) throw error;
    yield { path, refusal: error instanceof Refusal ? error.message : UNREADABLE };
  }
}
