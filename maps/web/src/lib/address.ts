// Addresses of questions to the service, and the names of the files that it sends.
import type { paths } from "./api-types.ts";

export type Query = Record<string, string | number | readonly string[] | null | undefined>;

/** "/api/x?a=1&b=2" without empty values, in the order given. */
export function address(path: string, query: Query = {}): string {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) q.append(key, String(one));
  }
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}

type Taken<P extends keyof paths> = NonNullable<paths[P]["get"]>["parameters"]["query"];
type Asked<P extends keyof paths> = { readonly [K in keyof NonNullable<Taken<P>>]?: Query[string] };

/**
 * A question to the service, checked against the interface when the page is compiled: a path that is not there, or a
 * parameter that it does not take, is an error. `{id}` in the path is filled from `inside`.
 */
export function asking<P extends keyof paths>(path: P, query: Asked<P>, inside: Record<string, string | number> = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(inside[name] ?? "")));
  return address(filled, query as Query);
}

/** The file name of a Content-Disposition, the one in UTF-8 before the plain one. */
export function nameIn(disposition: string): string | null {
  const wide = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  return wide ? decodeURIComponent(wide) : (/filename="?([^";]+)"?/i.exec(disposition)?.[1] ?? null);
}
