// The columns of a file as a layout, in the form of `--map layout.toml`.

export const CASE_FIELDS = [
  "id", "opened_at", "lon", "lat", "x", "y", "wkt", "category", "subcategory", "closed_at", "due_at", "dispatched_at", "status", "origin",
  "satisfied", "urgency", "responsible_body", "repeat_of", "description",
] as const;
export const FACILITY_FIELDS = ["id", "name", "capacity", "district", "lon", "lat", "x", "y", "wkt"] as const;

/** A layout that names every chosen column; a basic TOML string is a JSON string. */
export function layoutOf(chosen: Record<string, string>): string {
  const lines = Object.entries(chosen).filter(([, column]) => column).map(([field, column]) => `${field} = ${JSON.stringify(column)}`);
  return lines.length ? ["[fields]", ...lines, ""].join("\n") : "";
}

/** 1234567 bytes as people say it. */
export function bytes(n: number): string {
  const units = ["B", "KB", "MB", "GB"];
  const at = Math.min(units.length - 1, n > 0 ? Math.floor(Math.log10(n) / 3) : 0);
  const value = n / 1000 ** at;
  return `${value >= 100 || at === 0 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}
