// What was dropped or chosen, folders walked, as { file, path } without hidden files.

const HIDDEN = /(^|\/)\./;

const children = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function walk(entry, path) {
  if (entry.isFile) return [{ file: await fileOf(entry), path }];
  const reader = entry.createReader();
  const found = [];
  // Browsers give a folder in pieces, the last of which is empty.
  for (let some = await children(reader); some.length; some = await children(reader)) {
    for (const child of some) {
      try { found.push(...await walk(child, `${path}/${child.name}`)); } catch { /* gone, or not ours to read */ }
    }
  }
  return found;
}

/** Of a drop. Entries have to be asked for at once: they are gone when the event is over. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return chosen(transfer.files);
  const found = [];
  for (const entry of entries) found.push(...await walk(entry, entry.name));
  return found.filter(({ path }) => !HIDDEN.test(path));
}

/** Of a field, which may be for a folder. */
export function chosen(files) {
  const found = [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  return found.filter(({ path }) => !path.includes("/") || !HIDDEN.test(path));
}
