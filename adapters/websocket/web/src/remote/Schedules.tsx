import { useMutation, useQueryClient } from "@tanstack/react-query";
import { CalendarClock, Play } from "lucide-react";

import { toast } from "../app/toasts";
import { me } from "../boot";
import { Shown } from "../text/Shown";
import { Ago, Left } from "../time/Moment";
import { exactly, shortly } from "../time/moments";
import { Empty } from "../ui/Empty";
import { Switch } from "../ui/Switch";
import type { Schedule } from "../wire/frames";
import { send } from "../wire/http";
import { command } from "../wire/hub";
import { useRight } from "../wire/useRight";
import { t } from "../words";
import { Fact, Facts, Item, Items } from "./Items";
import { Outcome } from "./Outcome";
import { useChange, useList } from "./useList";

/** What gives its command at its times: when next, what became of the last, and holding it back. */
export function Schedules() {
  const query = useList<Schedule>("schedules");
  const empty = (
    <Empty icon={<CalendarClock size={32} />} title={t("schedules.empty")}>
      <p>{t("schedules.empty.text")}</p>
      <pre className="code mt-4 text-left">{t("schedules.empty.example")}</pre>
    </Empty>
  );
  return (
    <Items query={query} empty={empty}>
      {(schedule) => <Line key={schedule.id} schedule={schedule} />}
    </Items>
  );
}

function Line({ schedule }: { schedule: Schedule }) {
  const { id, owner, cron, timezone, upcoming, last } = schedule;
  const isPaused = schedule.state === "paused";
  return (
    <Item
      className="schedule"
      data-id={id}
      data-state={schedule.state}
      name={id}
      title={<Shown text={schedule.title} />}
      controls={<Controls schedule={schedule} />}
    >
      <Facts>
        <Fact label={t("byItself.when")}>
          {cron === null ? (
            t("schedules.once")
          ) : (
            <>
              <code className="rule">{cron}</code> <span className="text-muted">{timezone}</span>
            </>
          )}
        </Fact>
        <Fact label={t("byItself.as")}>{owner}</Fact>
        <Fact label={t("schedules.next")}>
          {isPaused || upcoming[0] === undefined ? (
            <span className="text-muted">{isPaused ? t("schedules.held") : t("schedules.never")}</span>
          ) : (
            <>
              {t("schedules.in")} <Left until={upcoming[0]} />
              <span className="text-muted">
                {upcoming.map((at) => (
                  <time key={at} dateTime={at} title={exactly(at)}>
                    {" · "}
                    {shortly(at)}
                  </time>
                ))}
              </span>
            </>
          )}
        </Fact>
        <Fact label={t("byItself.last")}>
          {last === null ? (
            <span className="text-muted">{t("schedules.notYet")}</span>
          ) : (
            <>
              <Outcome {...last} />{" "}
              <span className="text-muted">
                <Ago at={last.at} />
              </span>
            </>
          )}
          {schedule.missed_times > 0 && (
            <span className="text-warn"> · {t("schedules.missed", { count: schedule.missed_times })}</span>
          )}
        </Fact>
      </Facts>
    </Item>
  );
}

/** Only its owner has it give its command or ends it here; an administrator may hold it back as well. */
function Controls({ schedule: { id, owner, state, paused_by } }: { schedule: Schedule }) {
  const queries = useQueryClient();
  const isMine = owner === me.id;
  const mayHold = useRight("automation") || isMine;
  const change = useChange<Schedule>("schedules");
  const again = () => queries.invalidateQueries({ queryKey: ["schedules"] });
  const fire = useMutation({
    mutationFn: () => send("POST", `/v1/schedules/${id}/fire`, {}),
    onError: (error) => toast({ kind: "bad", text: error.message }),
    onSuccess: () => toast({ kind: "good", text: t("schedules.fired", { id }) }),
    onSettled: again,
  });
  const end = useMutation({ mutationFn: () => command(`unschedule ${id}`), onSettled: again });
  const isOn = state !== "paused";
  const word = isOn ? t("byItself.on") : t("schedules.paused", { by: paused_by ?? "?" });
  return (
    <>
      {isMine && (
        <>
          <button type="button" className="button small fire" disabled={fire.isPending} onClick={() => fire.mutate()}>
            <Play size={13} aria-hidden /> {t("schedules.fire")}
          </button>
          <button
            type="button"
            className="button small danger end"
            disabled={end.isPending}
            onClick={() =>
              end.mutate(undefined, { onSuccess: (reply) => reply.ok || toast({ kind: "bad", text: reply.text }) })
            }
          >
            {t("schedules.end")}
          </button>
        </>
      )}
      {mayHold ? (
        <Switch
          on={isOn}
          label={t("byItself.acts", { name: id })}
          state={word}
          onChange={(on) =>
            change.mutate({
              path: id,
              body: { paused: !on },
              is: (each) => each.id === id,
              now: { state: on ? "active" : "paused", paused_by: on ? null : me.id },
            })
          }
        />
      ) : (
        <span className={`chip ${isOn ? "tone-good" : "tone-warn"}`}>{word}</span>
      )}
    </>
  );
}
