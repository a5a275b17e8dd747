import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Bones } from "../ui/Bones";
import { Refused } from "../ui/Refused";
import type { Page } from "../wire/http";

/** What asks by itself, one card each: the one look of schedules and triggers. */
export function Items<T>({
  query,
  empty,
  children,
}: {
  query: UseQueryResult<Page<T>>;
  empty: ReactNode;
  children: (item: T) => ReactNode;
}) {
  const items = query.data?.items;
  return (
    <div className="min-h-0 flex-1 overflow-auto">
      {items === undefined ? (
        query.error ? (
          <Refused why={query.error.message} onRetry={() => void query.refetch()} />
        ) : (
          <Bones rows={3} height={148} />
        )
      ) : items.length === 0 ? (
        empty
      ) : (
        <ul className="mx-auto my-5 grid max-w-5xl gap-3 px-4 md:px-6">{items.map(children)}</ul>
      )}
    </div>
  );
}

/** One of them: what it is called, whether it is on, its rule as facts, and what became of it last. */
export function Item({
  name,
  title,
  controls,
  children,
  ...marks
}: {
  name: string;
  title?: ReactNode;
  controls: ReactNode;
  children: ReactNode;
  className: string;
  "data-id": string;
  "data-state": string;
}) {
  return (
    <li {...marks} className={`${marks.className} item min-w-0 rounded-xl border border-line bg-surface`}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line px-4 py-2.5">
        <h2 className="flex min-w-0 flex-1 basis-32 flex-wrap items-baseline gap-x-3">
          <span className="font-mono text-[13px] font-semibold [overflow-wrap:anywhere]">{name}</span>
          {title !== undefined && <span className="min-w-0 font-medium [overflow-wrap:anywhere]">{title}</span>}
        </h2>
        <div className="flex flex-wrap items-center gap-2">{controls}</div>
      </div>
      <div className="px-4 py-3">{children}</div>
    </li>
  );
}

export function Facts({ children }: { children: ReactNode }) {
  return (
    <dl className="grid grid-cols-[68px_minmax(0,1fr)] content-start gap-x-3 gap-y-2 text-[13.5px] sm:grid-cols-[88px_minmax(0,1fr)] sm:gap-x-4">
      {children}
    </dl>
  );
}

export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <>
      <dt className="label pt-0.5">{label}</dt>
      <dd className="min-w-0 [overflow-wrap:anywhere]">{children}</dd>
    </>
  );
}
