/** A choice that the browser keeps. Frames in a sandbox, and some privacy settings, keep nothing: then it holds for the page. */

const here = new Map<string, string>();

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(name) ?? here.get(name) ?? null;
  } catch {
    return here.get(name) ?? null;
  }
}

export function remember(name: string, value: string): void {
  here.set(name, value);
  try {
    localStorage.setItem(name, value);
  } catch {
    // nothing is kept here
  }
}
