import { Timer } from "lucide-react";
import type { ReactNode } from "react";

import { Code, Preview } from "../text/Code";
import { show } from "../text/show";
import { Shown } from "../text/Shown";
import { Ago, Left } from "../time/Moment";
import type { Card, Field } from "../wire/frames";
import { t } from "../words";
import { Decisions } from "./Decisions";
import type { Entry } from "./entries";
import { Seats } from "./Seats";
import { Outputs } from "./Outputs";
import { deadline } from "./standing";
import { StateChip, toneOf } from "./StateChip";

/** Fields of the card that have a place of their own in the picture; every other one stands among the facts. */
const PLACED = new Set(["Runs", "Needs", "Decided", "Who", "Policy", "Output", "Rollback output", "Check failed"]);

/** The card of one approval: what is bound first, what people say about it apart. */
export function Picture({ entry, tools, actions }: { entry: Entry; tools?: ReactNode; actions?: ReactNode }) {
  const { approval, card } = entry;
  const until = deadline(approval);
  return (
    <article
      className={`card ${toneOf(approval)}`}
      data-id={approval.id}
      data-state={approval.state}
      data-risk={card?.risk}
      aria-label={`${approval.id}, ${show(approval.title)}`}
    >
      <header className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1 text-[13px] text-muted">
            <span className="id font-mono font-semibold text-ink">{approval.id}</span>
            <StateChip approval={approval} />
            <span>
              {t("card.asked", { name: show(approval.requester.name) })} · <Ago at={approval.created_at} />
            </span>
            {until !== null && (
              <span className="inline-flex items-center gap-1">
                <Timer size={13} aria-hidden />
                <Left until={until} />
              </span>
            )}
          </p>
          <h2 className="mt-1.5 text-xl font-semibold leading-snug tracking-tight [overflow-wrap:anywhere]">
            <Shown text={approval.title} />
          </h2>
        </div>
        {tools}
      </header>
      {card ? (
        <>
          <p className="summary mt-1 text-muted [overflow-wrap:anywhere]">{card.summary}</p>
          {actions && <div className="mt-4">{actions}</div>}
          <Body entry={entry} card={card} />
        </>
      ) : (
        <div className="mt-5 grid gap-3" aria-busy="true">
          <div className="skeleton h-10" />
          <div className="skeleton h-24" />
          <div className="skeleton h-16" />
        </div>
      )}
    </article>
  );
}

function Body({ entry: { approval }, card }: { entry: Entry; card: Card }) {
  const named = (label: string) => card.fields.filter((field) => field.label === label);
  const lines = card.preview?.trimEnd().split("\n").length ?? 0;
  return (
    <div className="mt-5 grid gap-5">
      {named("Runs").map((field) => (
        <Section key="runs" title={t("card.runs")}>
          <div className="runs">
            <Code text={field.value} runs />
          </div>
        </Section>
      ))}
      <Outputs approval={approval} />
      {named("Check failed").map((field, at) => (
        <Section key={`check${at}`} title={field.label}>
          <Code text={field.value} wide />
        </Section>
      ))}
      {card.preview !== null && (
        <Section
          title={t("card.preview")}
          aside={lines === 1 ? t("card.preview.line") : t("card.preview.lines", { count: lines })}
        >
          <Preview text={card.preview} />
        </Section>
      )}
      <Section title={t("card.needs")}>
        <Seats approval={approval} />
      </Section>
      {approval.decisions.length > 0 && (
        <Section title={t("card.decided")}>
          <Decisions approval={approval} />
        </Section>
      )}
      <Facts fields={card.fields.filter((field) => !PLACED.has(field.label))} />
      {card.claim !== null && (
        <figure className="claim rounded-lg border border-dashed border-line px-4 py-3">
          <figcaption className="label">{t("card.claim", { name: card.requester })}</figcaption>
          <blockquote className="mt-1 whitespace-pre-wrap italic [overflow-wrap:anywhere]">
            <Shown text={card.claim} multiline />
          </blockquote>
          <p className="mt-2 text-[12px] text-muted">{t("card.claim.hint")}</p>
        </figure>
      )}
      <footer className="border-t border-line pt-3 text-[12.5px] text-muted [overflow-wrap:anywhere]">
        {t("card.policy", { policy: show(approval.policy) })} · {t("card.revision", { revision: approval.revision })}
        {card.digest !== null && (
          <>
            {" · "}
            {t("card.digest")} <code title={card.digest}>{card.digest.slice(0, 12)}</code>
          </>
        )}
      </footer>
    </div>
  );
}

function Section({ title, aside, children }: { title: string; aside?: string; children: ReactNode }) {
  return (
    <section>
      <h3 className="label mb-1.5 flex items-baseline justify-between">
        {title}
        {aside && <span className="font-normal">{aside}</span>}
      </h3>
      {children}
    </section>
  );
}

function Facts({ fields }: { fields: readonly Field[] }) {
  if (!fields.length) return null;
  return (
    <dl className="facts grid gap-2.5">
      {fields.map((field, at) => (
        <div key={at} className="grid gap-x-4 gap-y-0.5 sm:grid-cols-[9rem_minmax(0,1fr)]">
          <dt className="label pt-0.5">{field.label}</dt>
          <dd
            className={`whitespace-pre-wrap [overflow-wrap:anywhere] ${field.code ? "font-mono text-[12.5px] leading-relaxed" : ""}`}
          >
            <Shown text={field.value} multiline />
          </dd>
        </div>
      ))}
    </dl>
  );
}
