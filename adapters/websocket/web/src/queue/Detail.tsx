import { ArrowLeft, SearchX } from "lucide-react";
import { memo, useEffect, useState } from "react";

import { useValue } from "../store";
import { Empty } from "../ui/Empty";
import { link, look } from "../wire/hub";
import { t } from "../words";
import { Actions } from "./Actions";
import type { Intent } from "./choices";
import { More } from "./More";
import { Picture } from "./Picture";
import { useEntry } from "./useEntry";

interface Props {
  readonly id: string;
  readonly back: string;
  readonly onIntent: (intent: Intent) => void;
  readonly onEdit: (id: string) => void;
}

/** One approval, whole. */
export const Detail = memo(function Detail({ id, back, onIntent, onEdit }: Props) {
  const entry = useEntry(id);
  const [missing, setMissing] = useState(false);
  const isLive = useValue(link).kind === "live";
  const bare = entry?.card === undefined;
  useEffect(() => {
    if (!isLive || !bare) return;
    let current = true;
    void look(id).then((reply) => current && setMissing(!reply.ok && reply.code === "not_found"));
    return () => {
      current = false;
    };
  }, [id, isLive, bare]);
  return (
    <div className="min-h-full px-4 py-4 md:px-8 md:py-6">
      <a
        href={back}
        className="mb-3 inline-flex min-h-9 items-center gap-1.5 text-[13px] text-muted hover:text-ink lg:hidden"
      >
        <ArrowLeft size={15} aria-hidden /> {t("queue.back")}
      </a>
      {missing && !entry ? (
        <Empty icon={<SearchX size={32} />} title={t("card.missing")}>
          {t("card.missing.text")}
        </Empty>
      ) : entry ? (
        <div className="mx-auto max-w-3xl">
          <Picture
            entry={entry}
            tools={<More entry={entry} onIntent={onIntent} onEdit={() => onEdit(id)} />}
            actions={<Actions entry={entry} onIntent={onIntent} />}
          />
        </div>
      ) : (
        <div className="mx-auto grid max-w-3xl gap-3" aria-busy="true">
          <div className="skeleton h-4 w-52" />
          <div className="skeleton h-7 w-3/4" />
          <div className="skeleton h-28" />
        </div>
      )}
    </div>
  );
});
