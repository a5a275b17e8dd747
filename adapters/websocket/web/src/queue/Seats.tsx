import { show } from "../text/show";
import type { Approval } from "../wire/frames";
import { t } from "../words";

/** What is missing, who gave what there is, and who could give the rest. */
export function Seats({ approval }: { approval: Approval }) {
  const { requirements, could } = approval;
  if (["DRAFT", "SUBMITTED"].includes(approval.state)) return null;
  if (requirements.length === 0) return <p className="text-muted">{approval.allow && t("card.nobody")}</p>;
  return (
    <div className="seats grid gap-2">
      <ul className="flex flex-wrap gap-2">
        {requirements.map((seat, at) => {
          const who = show(seat.group ?? seat.person ?? "");
          const full = seat.have >= seat.count;
          return (
            <li
              key={at}
              title={seat.by.join(", ")}
              className={`flex items-center gap-2 rounded-full border px-3 py-0.5 text-[13px] ${
                full ? "border-good/50 text-good" : "border-line"
              }`}
            >
              <span aria-hidden className="flex gap-1">
                {Array.from({ length: Math.min(seat.count, 8) }, (_, place) => (
                  <i
                    key={place}
                    className={`size-2 rounded-full border-[1.5px] border-current ${place < seat.have ? "bg-current" : ""}`}
                  />
                ))}
              </span>
              {t("card.of", { have: seat.have, count: seat.count, who })}
            </li>
          );
        })}
      </ul>
      {could.length > 0 && (
        <p className="text-[13px] text-muted">
          {t("card.could")}: {could.map((each) => show(each.name)).join(", ")}
        </p>
      )}
    </div>
  );
}
