import { expect, test } from "vitest";

import type { Proof } from "../wire/frames";
import fixture from "./proof.fixture.json";
import { check } from "./proof";

// Entries, proofs and the key of a real hub, as its HTTP interface answered them.
const claims = fixture.claims.map(({ entry, proof }) => ({
  seq: proof.seq,
  entry: new TextEncoder().encode(entry),
  proof: proof as Proof,
  key: fixture.key,
}));
const one = claims[2] as (typeof claims)[number];

test("every entry of a hub's log is proved", async () => {
  for (const claim of claims) {
    const checked = await check(claim);
    expect(checked.size).toBe(claim.proof.tree_size);
    expect(fixture.key.startsWith(checked.key)).toBe(true);
  }
});

test("an entry that differs by one byte is not", async () => {
  const entry = Uint8Array.from(one.entry);
  entry[5] = (entry[5] as number) ^ 1;
  await expect(check({ ...one, entry })).rejects.toThrow("not the one that the log holds");
});

test("a path that was changed, cut or lengthened leads nowhere", async () => {
  const [first = "", ...rest] = one.proof.hashes;
  const changed = [first.replace(/^./, (digit) => (digit === "0" ? "1" : "0")), ...rest];
  for (const hashes of [changed, rest, [...one.proof.hashes, first], []]) {
    await expect(check({ ...one, proof: { ...one.proof, hashes } })).rejects.toThrow(
      "does not lead to the signed root",
    );
  }
});

test("a proof of another entry, or of a log of another size, is none", async () => {
  await expect(check({ ...one, seq: one.seq + 1 })).rejects.toThrow("about another entry");
  const proof = { ...one.proof, tree_size: one.proof.tree_size + 1 };
  await expect(check({ ...one, proof })).rejects.toThrow("another size");
});

test("a checkpoint that was changed after it was signed is refused", async () => {
  const checkpoint = one.proof.checkpoint.replace(/\n(\d+)\n/, (_, size: string) => `\n${Number(size) + 1}\n`);
  await expect(check({ ...one, proof: { ...one.proof, checkpoint } })).rejects.toThrow("not by that key");
});

test("a key that did not sign, or is not what it says, is refused", async () => {
  const [name, id, data = ""] = fixture.key.split(/\+(?=[0-9a-f]{8}\+)|(?<=\+[0-9a-f]{8})\+/);
  await expect(check({ ...one, key: `other+${id}+${data}` })).rejects.toThrow("id is not its own");
  await expect(check({ ...one, key: `${name}+${id}+${data.slice(0, -4)}AAAA` })).rejects.toThrow();
  await expect(check({ ...one, key: "nonsense" })).rejects.toThrow("not written as a verifier key");
});
