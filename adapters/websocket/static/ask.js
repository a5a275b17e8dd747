// The dialog before a press: what exactly is decided on, and the reason where one is needed.

import { el, find } from "./dom.js";
import { exactly } from "./card.js";

const WORDS = {
  approve: { title: "Approve", lead: "You approve exactly this, and nothing else:", comment: "A comment, if you like", go: "Approve" },
  reject: { title: "Reject", lead: "Nothing of this will run.", comment: "Why? Who asked will read it.", go: "Reject", needed: true, red: true },
  "request-changes": { title: "Ask for changes to", lead: "It goes back to who asked.", comment: "What should be different?", go: "Send it back", needed: true },
  apply: { title: "Start", lead: "This runs now:", comment: "A comment, if you like", go: "Start now" },
  stop: { title: "Stop", lead: "What runs is killed; what has not begun never will.", comment: "Why?", go: "Stop", needed: true, red: true },
};

// Resolves to the comment (perhaps empty), or null when it was cancelled.
export function ask(button, card) {
  const words = WORDS[button.choice] ?? { title: button.label, lead: "", comment: "A comment, if you like", go: button.label };
  const dialog = find("#decide");
  const comment = find("textarea", dialog);
  const wrong = find(".wrong", dialog);
  const go = find("button[value=go]", dialog);
  find("h2", dialog).textContent = `${words.title} ${card.approval}: ${card.title}`;
  find(".lead", dialog).textContent = words.lead;
  find(".exact", dialog).replaceChildren(
    ...exactly(card),
    card.digest ? el("p", { class: "quiet" }, `Revision with digest ${card.digest.slice(0, 12)}, asked by ${card.requester}`) : "",
  );
  find(".comment span", dialog).textContent = words.comment;
  go.textContent = words.go;
  go.classList.toggle("red", Boolean(words.red));
  comment.value = "";
  wrong.textContent = "";
  return new Promise((resolve) => {
    const done = new AbortController();
    const end = (answer) => {
      done.abort();
      dialog.close();
      resolve(answer);
    };
    const on = (target, name, act) => target.addEventListener(name, act, { signal: done.signal });
    on(find("form", dialog), "submit", (event) => {
      event.preventDefault();
      const said = comment.value.trim();
      if (words.needed && !said) {
        wrong.textContent = "Say why, in a few words.";
        comment.focus();
        return;
      }
      end(said);
    });
    on(find("button[value=cancel]", dialog), "click", () => end(null));
    on(dialog, "cancel", (event) => {
      event.preventDefault();
      end(null);
    });
    on(comment, "keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("form", dialog).requestSubmit();
    });
    dialog.showModal();
    (words.needed ? comment : go).focus();
  });
}
