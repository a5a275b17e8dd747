/** On or off, with the word beside it. */
export function Switch({
  on,
  label,
  state,
  onChange,
}: {
  on: boolean;
  label: string;
  /** What it is now, in a word that everybody sees. */
  state: string;
  onChange: (on: boolean) => void;
}) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={on}
      aria-label={label}
      className="switch"
      onClick={() => onChange(!on)}
    >
      <span aria-hidden>{state}</span>
      <i aria-hidden />
    </button>
  );
}
