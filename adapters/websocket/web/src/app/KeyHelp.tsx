import { Over } from "../ui/Over";
import { Key } from "../ui/Key";
import { t, type Word } from "../words";

const KEYS: readonly (readonly [readonly string[], Word])[] = [
  [["j", "k"], "keys.next"],
  [["a"], "keys.approve"],
  [["r"], "keys.reject"],
  [["c"], "keys.changes"],
  [["x"], "keys.choose"],
  [["o"], "keys.open"],
  [["f"], "keys.follow"],
  [["/"], "keys.filter"],
  [["Ctrl", "K"], "keys.palette"],
  [["1", "2", "3", "4"], "keys.rooms"],
  [["?"], "keys.help"],
  [["Esc"], "keys.leave"],
];

export function KeyHelp({ onClose }: { onClose: () => void }) {
  return (
    <Over title={t("keys.title")} onClose={onClose}>
      <dl className="mt-4 grid gap-2.5">
        {KEYS.map(([keys, word]) => (
          <div key={word} className="grid grid-cols-[8.5rem_1fr] items-center">
            <dt className="flex gap-1">
              {keys.map((each) => (
                <Key key={each}>{each}</Key>
              ))}
              <span className="sr-only">{keys.join(", ")}</span>
            </dt>
            <dd>{t(word)}</dd>
          </div>
        ))}
      </dl>
    </Over>
  );
}
