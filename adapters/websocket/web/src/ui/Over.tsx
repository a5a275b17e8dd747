import * as Dialog from "@radix-ui/react-dialog";
import { useState, type ReactNode } from "react";

/** A dialog over the page: named, closed by Escape, and focus comes back to where it was. */
export function Over({
  title,
  lead,
  wide = false,
  onClose,
  children,
}: {
  title: ReactNode;
  lead?: string | undefined;
  wide?: boolean;
  onClose: () => void;
  children: ReactNode;
}) {
  // Taken before a field inside takes the focus, which the library would come back to otherwise.
  const [before] = useState(() => document.activeElement);
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content
          className={wide ? "dialog sm:w-[min(860px,calc(100vw-48px))]" : "dialog"}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (before instanceof HTMLElement) before.focus();
          }}
          {...(lead === undefined ? { "aria-describedby": undefined } : {})}
        >
          <Dialog.Title className="text-lg font-semibold tracking-tight [overflow-wrap:anywhere]">{title}</Dialog.Title>
          {lead !== undefined && <Dialog.Description className="mt-0.5 text-muted">{lead}</Dialog.Description>}
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
