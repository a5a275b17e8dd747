import { expect, test } from "vitest";

import type { Action, Verb } from "../wire/frames";
import { complete, suggest, usage, words, type Language } from "./language";

const param = (name: string, more: Partial<Action["params"][number]> = {}) => ({
  name,
  type: "string" as const,
  description: "",
  required: true,
  secret: false,
  multiline: false,
  enum: null,
  default: null,
  pattern: null,
  ...more,
});
const verb = (name: string, more: Partial<Verb> = {}): Verb => ({
  name,
  usage: `${name} <ids…>`,
  summary: "",
  clauses: [],
  because: true,
  ...more,
});
const language: Language = {
  verbs: [verb("approve"), verb("delegate", { clauses: ["to", "until"], because: false })],
  actions: [
    {
      name: "deploy",
      title: "Deploy",
      description: "Roll out",
      usage: "deploy <service> <env>",
      params: [param("service"), param("env", { enum: ["staging", "prod"] })],
      resources: [],
    },
  ],
  ids: ["A7", "A3"],
};
const offered = (line: string) => suggest(line, language).map((each) => each.word);

test("the first word is an action or a verb", () => {
  expect(offered("de")).toEqual(["deploy", "delegate"]);
  expect(offered("nothing")).toEqual([]);
});

test("an action goes on with its parameters, by place or by name", () => {
  expect(offered("deploy ")).toEqual(["service=", "env=", "because"]);
  expect(offered("deploy web ")).toEqual(["staging", "prod", "env=", "because"]);
  expect(offered("deploy web pr")).toEqual(["prod"]);
  expect(offered("deploy env=")).toEqual(["env=staging", "env=prod"]);
  expect(offered("deploy service=web ")).toEqual(["env=", "because"]);
  expect(offered("run deploy web s")).toEqual(["staging"]);
});

test("a verb goes on with what it may be about, once each", () => {
  expect(offered("approve ")).toEqual(["A7", "A3", "because"]);
  expect(offered("approve A7 ")).toEqual(["A3", "because"]);
  expect(offered("delegate ")).toEqual(["to", "until"]);
});

test("a reason is the speaker's own", () => {
  expect(offered("approve A7 because ")).toEqual([]);
});

test("a completed word leaves room for the next, unless its value is still missing", () => {
  expect(complete("de", { word: "deploy", hint: "" })).toBe("deploy ");
  expect(complete("deploy ", { word: "env=", hint: "" })).toBe("deploy env=");
  expect(complete("deploy env=st", { word: "env=staging", hint: "" })).toBe("deploy env=staging ");
});

test("the usage is shown of what is named, or may be", () => {
  expect(usage("deploy web", language)).toBe("deploy <service> <env>");
  expect(usage("app", language)).toBe("approve <ids…>");
  expect(usage("app x", language)).toBeNull();
});

test("quoted words stay together", () => {
  expect(words(`ask "two words" 'and three' x`)).toEqual(["ask", '"two words"', "'and three'", "x"]);
});
