import { FlaskConical, Zap } from "lucide-react";
import { useState } from "react";

import { me } from "../boot";
import { Empty } from "../ui/Empty";
import { Switch } from "../ui/Switch";
import type { Trigger } from "../wire/frames";
import { useRight } from "../wire/useRight";
import { t } from "../words";
import { Acted } from "./Acted";
import { Item, Items } from "./Items";
import { Rehearse } from "./Rehearse";
import { Rule } from "./Rule";
import { useChange, useList } from "./useList";

/** What is being tried: a trigger, on that entry; without one on the last that fits. */
interface Trial {
  readonly trigger: Trigger;
  readonly seq?: number;
}

/** What events and hooks make the hub ask for: each rule, what came of it last, a switch, and a way to try it. */
export function Triggers() {
  const query = useList<Trigger>("triggers");
  const [trial, setTrial] = useState<Trial | null>(null);
  const mayTry = useRight("automation");
  const empty = (
    <Empty icon={<Zap size={32} />} title={t("triggers.empty")}>
      <p>{t("triggers.empty.text")}</p>
      <pre className="code mt-4 text-left">{t("triggers.empty.example")}</pre>
    </Empty>
  );
  return (
    <>
      <Items query={query} empty={empty}>
        {(trigger) => (
          <Item
            key={trigger.name}
            className="trigger"
            data-id={trigger.name}
            data-state={trigger.enabled ? "on" : "off"}
            name={trigger.name}
            controls={
              <>
                {mayTry && (
                  <button type="button" className="button small try" onClick={() => setTrial({ trigger })}>
                    <FlaskConical size={13} aria-hidden /> {t("triggers.try")}
                  </button>
                )}
                <Power trigger={trigger} mayChange={mayTry && me.kind === "person"} />
              </>
            }
          >
            <div className="grid gap-3 lg:grid-cols-[minmax(0,1fr)_23rem] lg:gap-5">
              <Rule trigger={trigger} />
              <Acted trigger={trigger} {...(mayTry ? { onTry: (seq: number) => setTrial({ trigger, seq }) } : {})} />
            </div>
          </Item>
        )}
      </Items>
      {trial && <Rehearse {...trial} onClose={() => setTrial(null)} />}
    </>
  );
}

function Power({ trigger: { name, enabled, disabled_by }, mayChange }: { trigger: Trigger; mayChange: boolean }) {
  const change = useChange<Trigger>("triggers");
  const word = enabled ? t("byItself.on") : t("triggers.off", { by: disabled_by ?? "?" });
  if (!mayChange || disabled_by === "hub.yaml")
    return <span className={`chip ${enabled ? "tone-good" : "tone-warn"}`}>{word}</span>;
  return (
    <Switch
      on={enabled}
      label={t("byItself.acts", { name })}
      state={word}
      onChange={(on) =>
        change.mutate({
          path: name,
          body: { enabled: on },
          is: (each) => each.name === name,
          now: { enabled: on, disabled_by: on ? null : me.id },
        })
      }
    />
  );
}
