// Checks here, in the reader's browser, that an entry stands in the log: RFC 6962 inclusion under a C2SP checkpoint
// that the hub's key signed. The hub is asked for the entry, the proof and the key, and believed in nothing.

import type { Proof } from "../wire/frames";

export class Unproven extends Error {}

export interface Checked {
  readonly size: number;
  readonly origin: string;
  /** The key's name and id, as it signs. */
  readonly key: string;
}

export interface Claim {
  readonly seq: number;
  readonly entry: Uint8Array;
  readonly proof: Proof;
  /** The verifier key as C2SP writes it: `name+id+base64`. */
  readonly key: string;
}

const ED25519 = 1;
const DASH = "\u2014 ";

export function canCheck(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

/** What was proved. Throws Unproven with what does not hold. */
export async function check({ seq, entry, proof, key }: Claim): Promise<Checked> {
  if (proof.seq !== seq) throw new Unproven("the proof is about another entry");
  const leaf = await sha256(Uint8Array.of(0), entry);
  if (hex(leaf) !== proof.leaf_hash) throw new Unproven("the entry is not the one that the log holds");
  const checkpoint = await open(proof.checkpoint, key);
  if (checkpoint.size !== proof.tree_size) throw new Unproven("the proof is for another size of the log");
  const root = await rootOf(leaf, seq - 1, proof.tree_size, proof.hashes.map(unhex));
  if (root === null || hex(root) !== hex(checkpoint.root))
    throw new Unproven("the proof does not lead to the signed root");
  return { size: checkpoint.size, origin: checkpoint.origin, key: checkpoint.key };
}

/** RFC 9162 section 2.1.3.2: the root that the path leads to; null for a path of another length. */
async function rootOf(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Promise<Uint8Array | null> {
  if (index < 0 || index >= size) return null;
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const step of path) {
    if (last === 0) return null;
    if (node % 2 === 1 || node === last) {
      hash = await sha256(Uint8Array.of(1), step, hash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = await sha256(Uint8Array.of(1), hash, step);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : null;
}

interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly key: string;
}

/** The checkpoint of a signed note. Throws Unproven when the key did not sign it. */
async function open(note: string, verifier: string): Promise<Checkpoint> {
  const end = note.lastIndexOf("\n\n");
  if (end < 0) throw new Unproven("the checkpoint is no signed note");
  const text = note.slice(0, end + 1);
  const parsed = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(verifier.trim());
  if (parsed === null) throw new Unproven("the key is not written as a verifier key");
  const [, name, id, encoded] = parsed as unknown as [string, string, string, string];
  const bytes = unbase64(encoded);
  if (bytes[0] !== ED25519 || bytes.length !== 33)
    throw new Unproven("the key is of a kind that this page does not know");
  const expected = await sha256(new TextEncoder().encode(`${name}\n`), bytes);
  if (hex(expected.slice(0, 4)) !== id) throw new Unproven("the key's id is not its own");
  const key = await crypto.subtle.importKey("raw", bytes.slice(1), { name: "Ed25519" }, false, ["verify"]);
  for (const line of note.slice(end + 2).split("\n")) {
    if (!line.startsWith(`${DASH}${name} `)) continue;
    const signature = unbase64(line.slice(DASH.length + name.length + 1));
    if (hex(signature.slice(0, 4)) !== id) continue;
    const holds = await crypto.subtle.verify("Ed25519", key, signature.slice(4), new TextEncoder().encode(text));
    if (!holds) throw new Unproven("the signature of the checkpoint is not by that key");
    return read(text, `${name}+${id}`);
  }
  throw new Unproven("the checkpoint is not signed by the hub's key");
}

function read(text: string, key: string): Checkpoint {
  const [origin = "", size = "", root = "", rest] = text.split("\n");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || rest !== "" || root === "")
    throw new Unproven("the checkpoint cannot be read");
  return { origin, size: Number(size), root: unbase64(root), key };
}

async function sha256(...parts: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function unbase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw new Unproven("a base64 text cannot be read");
  }
}
