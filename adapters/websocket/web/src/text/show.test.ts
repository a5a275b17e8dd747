import { expect, test } from "vitest";

import { parts, show } from "./show";

test("what shows what it is stays as it is", () => {
  expect(show("deploy web 1.2.3 — naïve 日本 🚀")).toBe("deploy web 1.2.3 — naïve 日本 🚀");
});

test("what nobody could see is written out", () => {
  expect(show("pay\u{202e} 001")).toBe("pay⟨U+202E⟩ 001");
  expect(show("a\u{200b}b\u{2066}c\u001b[31md\u0000")).toBe("a⟨U+200B⟩b⟨U+2066⟩c⟨U+001B⟩[31md⟨U+0000⟩");
  expect(show("\udead")).toBe("⟨U+DEAD⟩");
  expect(show("\u{e0041}")).toBe("⟨U+E0041⟩");
});

test("line feeds and tabs stay only where several lines may stand", () => {
  expect(show("a\n\tb", true)).toBe("a\n\tb");
  expect(show("a\n\tb\r", true)).toBe("a\n\tb⟨U+000D⟩");
  expect(show("a\nb")).toBe("a⟨U+000A⟩b");
});

test("what was shown before is shown the same", () => {
  const once = show("x\u{202e}y");
  expect(show(once)).toBe(once);
});

test("marks are told from what stands around them", () => {
  expect(parts(show("a\u{200b}b"))).toEqual([
    { text: "a", mark: false },
    { text: "⟨U+200B⟩", mark: true },
    { text: "b", mark: false },
  ]);
  expect(parts("")).toEqual([]);
});

test("a hundred thousand characters take no time to speak of", () => {
  expect(show("\u{202e}".repeat(100_000)).length).toBe(800_000);
});
