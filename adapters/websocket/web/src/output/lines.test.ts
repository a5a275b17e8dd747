import { expect, test } from "vitest";

import { Lines, MOST_CHARACTERS, MOST_IN_LINE, MOST_LINES, size, type Line } from "./lines";

function lines(...texts: string[]): Lines {
  const made = new Lines();
  for (const text of texts) made.feed(text);
  return made;
}

const text = (line: Line) => (line.kind === "text" ? line.text : `<${line.bytes}>`);
const texts = (made: Lines) => made.all.map(text);

test("lines are the same however the text was cut", () => {
  const whole = "one\n\ntwo\r\nthree\rfour\n\rfive";
  const expected = texts(lines(whole));
  expect(expected).toEqual(["one", "", "two", "four", "five"]);
  expect(texts(lines(...whole))).toEqual(expected);
});

test("a progress bar is one line that says how often it was written over", () => {
  const made = lines("10%\r", "50%\r", "100%", " done\r\nnext\n");
  expect(made.all).toEqual([
    { kind: "text", text: "100% done", rewritten: 2 },
    { kind: "text", text: "next", rewritten: 0 },
  ]);
});

test("a gap is a line of its own and nothing runs across it", () => {
  const made = lines("half");
  made.gap(2_000);
  made.feed("other half\n");
  expect(texts(made)).toEqual(["half", "<2000>", "other half"]);
});

test("a line without an end goes on in the next", () => {
  const made = new Lines();
  for (let at = 0; at < 30; at++) made.feed("x".repeat(1_000));
  expect(made.all.map((each) => text(each).length)).toEqual([MOST_IN_LINE, MOST_IN_LINE, MOST_IN_LINE]);
});

test("lines and characters are bounded and what was cut off is counted", () => {
  const many = lines("x\n".repeat(MOST_LINES * 2 + 5));
  expect(many.all.length).toBe(MOST_LINES);
  expect(many.left).toBe(MOST_LINES + 5);
  const long = new Lines();
  for (let at = 0; at < 40; at++) long.feed(`${"y".repeat(1_000_000)}\n`);
  expect(long.all.reduce((sum, each) => sum + text(each).length, 0)).toBeLessThanOrEqual(MOST_CHARACTERS * 1.1);
});

test("a bar that turns for ever takes no memory", () => {
  const made = new Lines();
  for (let at = 0; at < 100_000; at++) made.feed(`${at}%\r`);
  expect(made.all).toEqual([{ kind: "text", text: "99999%", rewritten: 99_999 }]);
});

test("sizes are told in words", () => {
  expect([1, 12, 655_360, 1_258_291].map(size)).toEqual(["1 byte", "12 bytes", "640 KB", "1.2 MB"]);
});
