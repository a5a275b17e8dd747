import { useMutation, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";

import { Over } from "../ui/Over";
import type { Action, Approval, Param } from "../wire/frames";
import { get, Problem, send, type Page } from "../wire/http";
import { look } from "../wire/hub";
import { t } from "../words";
import { numberOf } from "./entries";

/** Change what was asked for: a new revision, checked again and decided afresh. */
export function Edit({ approval: given, onClose }: { approval: Approval; onClose: () => void }) {
  const [approval] = useState(given);
  const actions = useQuery({ queryKey: ["actions"], queryFn: () => get<Page<Action>>("/v1/actions") });
  const params = actions.data?.items.find((each) => each.name === approval.action)?.params ?? [];
  const [values, setValues] = useState<Record<string, string>>({});
  const [reason, setReason] = useState(approval.reason ?? "");
  const reasonId = useId();
  const changing = useMutation({
    mutationFn: () =>
      send<Approval>("PATCH", `/v1/approvals/${approval.id}`, {
        body: { params: values, ...(reason === (approval.reason ?? "") ? {} : { reason }) },
        headers: { "if-match": `"${numberOf(approval.id)}-${approval.version}"` },
      }),
    onSuccess: async () => {
      await look(approval.id);
      onClose();
    },
  });
  const wrong =
    changing.error instanceof Problem && changing.error.status === 412 ? t("edit.stale") : changing.error?.message;
  return (
    <Over
      title={t("edit.title", { id: approval.id })}
      lead={t("edit.lead", { revision: approval.revision + 1 })}
      onClose={onClose}
    >
      <form
        className="edit mt-4 grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          changing.mutate();
        }}
      >
        {params
          .filter((param) => !param.secret)
          .map((param) => (
            <ParamField
              key={param.name}
              param={param}
              value={values[param.name] ?? String(approval.params[param.name] ?? "")}
              onChange={(value) => setValues({ ...values, [param.name]: value })}
            />
          ))}
        <div>
          <label htmlFor={reasonId} className="label mb-1 block">
            {t("edit.reason")}
          </label>
          <textarea
            id={reasonId}
            className="field"
            rows={2}
            maxLength={4096}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </div>
        <p role="alert" className="wrong min-h-5 text-[13px] text-bad">
          {wrong}
        </p>
        <div className="flex justify-end gap-2">
          <button type="button" className="button" onClick={onClose}>
            {t("app.cancel")}
          </button>
          <button type="submit" className="button primary go" disabled={changing.isPending}>
            {t("edit.go")}
          </button>
        </div>
      </form>
    </Over>
  );
}

function ParamField({ param, value, onChange }: { param: Param; value: string; onChange: (value: string) => void }) {
  const id = useId();
  const choices = param.type === "boolean" ? ["true", "false"] : param.enum;
  return (
    <div>
      <label htmlFor={id} className="label mb-1 block">
        {param.name} {param.description && <span className="font-normal">· {param.description}</span>}
      </label>
      {choices ? (
        <select id={id} className="field" value={value} onChange={(event) => onChange(event.target.value)}>
          {!choices.includes(value) && <option value={value}>{value}</option>}
          {choices.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      ) : param.multiline ? (
        <textarea
          id={id}
          className="field font-mono"
          rows={4}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : (
        <input id={id} className="field font-mono" value={value} onChange={(event) => onChange(event.target.value)} />
      )}
    </div>
  );
}
