/* Opens zip archives in the browser, member by member, without loading the whole archive.

   The table of contents is read here, because what decides over a member stands in it: whether it
   is encrypted, how large it becomes, its checksum. fflate unpacks. The sentences are the server's
   own (cases/intake.py), so that a file meets the same fate by either way. */

import { inflateSync } from "../vendor/fflate/browser.js";

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const LONGEST_COMMENT = 65535;
const END_SIZE = 22;
const LARGEST_CONTENTS = 32 * 2 ** 20;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
const UTF8 = 0x800;
const IN_ZIP64 = 0xffffffff;
const ARCHIVE_NAMES = /\.(zip|7z|rar|tar|gz|tgz|bz2|xz)$/i;
const JUNK = /(^|\/)(__MACOSX\/|\.|(thumbs\.db|ehthumbs\.db|desktop\.ini)$)/i;

export const NESTED = "An archive inside an archive is not opened.";
const BROKEN = "The archive is broken or cut off: pack it again.";

/* A file or an archive that cannot be taken; the message is the sentence for the person. */
export class Refusal extends Error {}

/* What computers add to folders by themselves, and files that are hidden. */
export function isJunk(path) {
  return JUNK.test(path);
}

export function tooLarge(size, limit) {
  const megabytes = (size / 2 ** 20).toFixed(1);
  return `The file has ${megabytes} MB, more than the ${+(limit / 2 ** 20).toFixed(1)} MB allowed.`;
}

export async function isArchive(file) {
  const start = await view(file, 0, 4);
  return start.byteLength === 4 && [LOCAL, END].includes(start.getUint32(0, true));
}

/* The members of an archive as {path, read}; read() gives a File or throws a Refusal. */
export async function members(archive, limits) {
  const entries = (await contents(archive)).filter(({ path }) => !path.endsWith("/") && !isJunk(path));
  if (!entries.length) throw new Refusal("The archive holds no files.");
  if (entries.length > limits.files) {
    throw new Refusal(
      `The archive holds ${entries.length.toLocaleString("en")} files, more than the ` +
        `${limits.files.toLocaleString("en")} allowed: send it in parts.`,
    );
  }
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > limits.total) {
    throw new Refusal(
      `The archive unpacks to ${(total / 2 ** 20).toFixed(1)} MB, more than the ` +
        `${limits.total / 2 ** 20} MB allowed: send it in parts.`,
    );
  }
  return entries.map((entry) => ({ path: entry.path, read: () => read(archive, entry, limits) }));
}

async function contents(archive) {
  const tailStart = Math.max(0, archive.size - END_SIZE - LONGEST_COMMENT);
  const tail = await view(archive, tailStart, archive.size);
  let at = tail.byteLength - END_SIZE;
  while (at >= 0 && tail.getUint32(at, true) !== END) at -= 1;
  if (at < 0) throw new Refusal(BROKEN);
  const count = tail.getUint16(at + 10, true);
  const size = tail.getUint32(at + 12, true);
  const offset = tail.getUint32(at + 16, true);
  if (count === 0xffff || offset === IN_ZIP64 || size > LARGEST_CONTENTS) {
    throw new Refusal("The archive lists more files than can be read: send it in parts.");
  }
  const start = tailStart + at - size; // something may stand before the archive
  const table = await view(archive, start, start + size);
  const entries = [];
  let here = 0;
  for (let number = 0; number < count; number += 1) {
    if (here + 46 > table.byteLength || table.getUint32(here, true) !== ENTRY) {
      throw new Refusal(BROKEN);
    }
    const nameSize = table.getUint16(here + 28, true);
    const flags = table.getUint16(here + 8, true);
    entries.push({
      flags,
      method: table.getUint16(here + 10, true),
      checksum: table.getUint32(here + 16, true),
      packed: table.getUint32(here + 20, true),
      size: table.getUint32(here + 24, true),
      at: start - offset + table.getUint32(here + 42, true),
      path: nameIn(table, here + 46, nameSize, flags),
    });
    here += 46 + nameSize + table.getUint16(here + 30, true) + table.getUint16(here + 32, true);
  }
  return entries;
}

async function read(archive, entry, limits) {
  if (entry.flags & ENCRYPTED) {
    throw new Refusal("The file is encrypted: pack it without a password.");
  }
  if (ARCHIVE_NAMES.test(entry.path)) throw new Refusal(NESTED);
  if (![STORED, DEFLATED].includes(entry.method)) {
    throw new Refusal("The file is packed in a way this program does not read.");
  }
  if (entry.size > limits.bytes) throw new Refusal(tooLarge(entry.size, limits.bytes));
  const head = await view(archive, entry.at, entry.at + 30);
  if (head.byteLength < 30 || head.getUint32(0, true) !== LOCAL) throw damaged();
  const from = entry.at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = await bytes(archive, from, from + entry.packed);
  const content = entry.method === STORED ? packed : inflated(packed, entry.size);
  if (content.length !== entry.size || checksum(content) !== entry.checksum) throw damaged();
  return new File([content], entry.path.split("/").pop());
}

function inflated(packed, size) {
  try {
    return inflateSync(packed, { out: new Uint8Array(size) }); // never more than was declared
  } catch {
    throw damaged();
  }
}

function damaged() {
  return new Refusal("The file is damaged inside its archive.");
}

function nameIn(table, from, size, flags) {
  const raw = new Uint8Array(table.buffer, table.byteOffset + from, size);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch {
    return new TextDecoder(flags & UTF8 ? "utf-8" : "latin1").decode(raw);
  }
}

async function bytes(file, from, to) {
  return new Uint8Array(await file.slice(from, to).arrayBuffer());
}

async function view(file, from, to) {
  return new DataView(await file.slice(from, to).arrayBuffer());
}

const CHECKSUMS = Uint32Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function checksum(content) {
  let value = 0xffffffff;
  for (const byte of content) value = CHECKSUMS[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
