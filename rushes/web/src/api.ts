/** The one place that talks to the API: adds the key, turns every failure into a sentence. */

import type { Asset } from "./asset";

const KEY = "rushes-key";

export function apiKey(): string {
  return sessionStorage.getItem(KEY) ?? "";
}

export function rememberKey(key: string): void {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

export function authorization(): Record<string, string> {
  return apiKey() ? { Authorization: `Bearer ${apiKey()}` } : {};
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code = "",
  ) {
    super(message);
  }

  get needsKey(): boolean {
    return this.status === 401;
  }
}

const SENTENCES: Record<number, string> = {
  0: "The server cannot be reached. Please check the connection.",
  401: "The server asks for an API key.",
  403: "This key may not do that.",
  404: "There is nothing at this address.",
  410: "This was deleted.",
  413: "The file is larger than the server accepts.",
  429: "Too many requests. Please wait a moment.",
  507: "The server has no room left for new videos.",
};

export function sentenceFor(status: number): string {
  return SENTENCES[status] ?? (status >= 500 ? "The server has a problem. Please try again." : "The server refused this request.");
}

interface Problem {
  code?: string;
  title?: string;
  detail?: string;
}

/** An error from the text of an answer: RFC 9457 where the server says more, our own sentence otherwise. */
export function errorFrom(status: number, body: string): ApiError {
  try {
    const problem = JSON.parse(body) as Problem;
    const said = problem.detail || problem.title;
    return new ApiError(status, status === 401 || !said ? sentenceFor(status) : said, problem.code ?? "");
  } catch {
    return new ApiError(status, sentenceFor(status));
  }
}

/** Without the key: for what is public, and for addresses that are secrets themselves and may be another server's. */
export async function fetched(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, sentenceFor(0));
  }
  if (!response.ok) throw errorFrom(response.status, await response.text());
  return response;
}

export function request(path: string, init: RequestInit = {}): Promise<Response> {
  return fetched(path, { ...init, headers: { ...authorization(), ...(init.headers as Record<string, string>) } });
}

async function json<T>(path: string): Promise<T> {
  return (await (await request(path, { headers: { Accept: "application/json" } })).json()) as T;
}

export function getAsset(id: string): Promise<Asset> {
  return json(`/v1/assets/${encodeURIComponent(id)}`);
}

export interface Page {
  items: Asset[];
  next: string | null;
}

export function listAssets(after: string | null, limit: number): Promise<Page> {
  const query = new URLSearchParams({ limit: String(limit), ...(after ? { after } : {}) });
  return json(`/v1/assets?${query}`);
}

export interface Pool {
  pool: string;
  ready: number;
  running: number;
  waiting: number;
  /** Until the workers there are have done what is ready and running; without any, as if they had one core. */
  backlog_seconds: number;
  oldest_ready_seconds: number;
  workers: number;
  cores: number;
  paused: boolean;
  /** Why it is paused. */
  reason: string;
}

export interface Worker {
  id: string;
  pools: string[];
  slots: number;
  started_at: string;
  seen_at: string;
  /** working, draining, cordoned */
  state: string;
  /** Of that state. */
  reason: string;
  /** Estimated by real CPU seconds; 0: not known yet. */
  speed: number;
  /** `asset/step.key` */
  steps: string[];
}

export interface Fleet {
  pools: Pool[];
  workers: Worker[];
}

export function getFleet(): Promise<Fleet> {
  return json("/v1/fleet");
}
