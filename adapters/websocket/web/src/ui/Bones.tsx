/** Rows that stand where others will, of the same height, so that nothing moves when they come. */
export function Bones({ rows, height = 68 }: { rows: number; height?: number }) {
  return (
    <div aria-busy="true" aria-label="Loading" role="status">
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} className="flex flex-col justify-center gap-2 border-b border-line px-4" style={{ height }}>
          <div className="skeleton h-3.5 w-3/5" />
          <div className="skeleton h-3 w-2/5" />
        </div>
      ))}
    </div>
  );
}
