import * as DropdownMenu from "@radix-ui/react-dropdown-menu";
import { EllipsisVertical } from "lucide-react";

import { toast } from "../app/toasts";
import { boot, me } from "../boot";
import { t, type Word } from "../words";
import type { Intent, Operation } from "./choices";
import type { Entry } from "./entries";

const WORDS: Record<Operation, Word> = {
  comment: "card.comment",
  withdraw: "card.withdraw",
  submit: "card.submit",
  retry: "card.retry",
  override: "card.override",
  "resolve-completed": "card.resolve.completed",
  "resolve-failed": "card.resolve.failed",
};
const BEFORE_RUN = new Set(["DRAFT", "SUBMITTED", "REVIEWING", "APPROVED"]);
const OVER = new Set(["FAILED", "REJECTED", "EXPIRED", "WITHDRAWN"]);

function operations({ approval }: Entry): Operation[] {
  const mine = approval.requester.id === me.id || approval.owners.includes(me.id);
  const found: Operation[] = ["comment"];
  if (approval.state === "DRAFT" && mine) found.push("submit");
  if (BEFORE_RUN.has(approval.state) && mine) found.push("withdraw");
  if (OVER.has(approval.state)) found.push("retry");
  if (approval.frozen.length) found.push("override");
  if (approval.state === "UNKNOWN") found.push("resolve-completed", "resolve-failed");
  return found;
}

export function mayEdit({ approval }: Entry): boolean {
  return ["DRAFT", "REVIEWING"].includes(approval.state) && approval.requester.id === me.id;
}

interface Props {
  readonly entry: Entry;
  readonly onIntent: (intent: Intent) => void;
  readonly onEdit: () => void;
}

/** Everything else that can be done with one approval. */
export function More({ entry, onIntent, onEdit }: Props) {
  const { id } = entry.approval;
  const copy = async () => {
    await navigator.clipboard.writeText(`${boot.url || location.origin}/#/approvals/${id}`);
    toast({ kind: "good", text: t("text.copied") });
  };
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger className="icon-button" aria-label={t("card.more", { id })}>
        <EllipsisVertical size={18} aria-hidden />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={4} collisionPadding={8}>
          {mayEdit(entry) && <DropdownMenu.Item onSelect={onEdit}>{t("card.edit")}</DropdownMenu.Item>}
          {operations(entry).map((each) => (
            <DropdownMenu.Item key={each} onSelect={() => onIntent({ entry, choice: each })}>
              {t(WORDS[each])}
            </DropdownMenu.Item>
          ))}
          <DropdownMenu.Separator className="my-1 h-px bg-line" />
          <DropdownMenu.Item onSelect={() => void copy()}>{t("card.copyLink")}</DropdownMenu.Item>
          <DropdownMenu.Item asChild>
            <a href={`/approvals/${id}`}>{t("card.own")}</a>
          </DropdownMenu.Item>
          <DropdownMenu.Item asChild>
            <a href={`/v1/approvals/${id}/receipt`} download={`${id}.receipt.json`}>
              {t("card.receipt")}
            </a>
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
