/** What the address of an embedded player asks for. Pure: what is not understood is as if it were not there. */

export interface Wishes {
  autoplay: boolean;
  muted: boolean;
  loop: boolean;
  /** Seconds to begin at. */
  start: number;
  /** A language (BCP 47), `on` or `off`; null: what the viewer chose last. */
  captions: string | null;
}

export const NO_WISHES: Wishes = { autoplay: false, muted: false, loop: false, start: 0, captions: null };

const YES = new Set(["1", "true", ""]);
const LONGEST = 7 * 86_400;

/** `?autoplay=1&muted=1&loop=1&start=12&captions=en` */
export function wishesOf(query: string): Wishes {
  const values = new URLSearchParams(query);
  const flag = (name: string) => YES.has(values.get(name) ?? "no");
  const start = /^\d{1,6}(\.\d{1,3})?$/.test(values.get("start") ?? "") ? Number(values.get("start")) : 0;
  const captions = values.get("captions") ?? "";
  return {
    autoplay: flag("autoplay"),
    muted: flag("muted"),
    loop: flag("loop"),
    start: Math.min(start, LONGEST),
    captions: /^[A-Za-z0-9-]{2,35}$/.test(captions) ? captions.toLowerCase() : null,
  };
}

/** A token for a signed video: letters that need no escaping in a path, and not too many of them. */
export function tokenOf(query: string): string | null {
  const token = new URLSearchParams(query).get("token") ?? "";
  return /^[A-Za-z0-9._~-]{1,2000}$/.test(token) && !/^\.+$/.test(token) ? token : null;
}
