import type { ReactNode } from "react";

/** Nothing to show, and what would make something appear. */
export function Empty({ icon, title, children }: { icon?: ReactNode; title: string; children?: ReactNode }) {
  return (
    <div className="grid h-full min-h-52 place-content-center justify-items-center gap-2 px-6 py-10 text-center">
      {icon && <div className="mb-1 text-muted opacity-60">{icon}</div>}
      <p className="font-semibold">{title}</p>
      {children && <div className="max-w-96 text-muted">{children}</div>}
    </div>
  );
}
