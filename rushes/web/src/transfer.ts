/** One resumable upload by tus (tus.io protocol 1.0.0). Knows nothing of the page. */

import { DetailedError, defaultOptions, type PreviousUpload, Upload } from "tus-js-client";
import { authorization, errorFrom, sentenceFor } from "./api";

const ENDPOINT = "/files";
const RETRY_DELAYS = [0, 1000, 2000, 4000, 8000, 15_000, 30_000, 30_000];
const LARGE = 64 * 2 ** 20; // bytes from which on a file goes in parts: one connection seldom fills a mobile network
const AT_ONCE = 3;
const ASSET_OF = "rushes-asset:"; // upload address -> asset id: after a reload the server's first answer may lack it
const FORGET_AFTER = 7 * 86_400_000;

export interface TransferListener {
  sent(bytes: number, total: number): void;
  /** The connection was cut; it is tried again by itself. */
  waiting(): void;
  finished(asset: string): void;
  failed(sentence: string, status: number): void;
}

/** How many connections the upload of a file uses. */
export function connections(file: File): number {
  return file.size >= LARGE ? AT_ONCE : 1;
}

export class Transfer {
  private readonly upload: Upload;
  private asset = "";

  constructor(
    file: File,
    title: string,
    private readonly listener: TransferListener,
  ) {
    this.upload = new Upload(file, {
      endpoint: ENDPOINT,
      metadata: { filename: file.name, filetype: file.type || "application/octet-stream", title },
      retryDelays: RETRY_DELAYS,
      parallelUploads: connections(file),
      removeFingerprintOnSuccess: true,
      onBeforeRequest: (request) => {
        for (const [name, value] of Object.entries(authorization())) request.setHeader(name, value);
      },
      onAfterResponse: (_request, response) => {
        this.asset = response.getHeader("Rushes-Asset") ?? this.asset;
      },
      onUploadUrlAvailable: () => this.remember(),
      onShouldRetry: (error) => this.mayRetry(error),
      onProgress: (sent, total) => listener.sent(sent, total),
      onSuccess: () => this.succeed(),
      onError: (error) => this.fail(error),
    });
  }

  /** Starts, or goes on where an earlier visit stopped. */
  async start(): Promise<void> {
    const [previous] = this.upload.url ? [] : await this.upload.findPreviousUploads();
    if (previous) this.upload.resumeFromPreviousUpload(previous);
    this.upload.start();
  }

  async pause(): Promise<void> {
    await this.upload.abort();
  }

  /** Stops and tells the server to forget what it has. */
  async cancel(): Promise<void> {
    await this.upload.abort(true);
    this.forget();
  }

  private remember(): void {
    if (this.asset && this.upload.url) localStorage.setItem(ASSET_OF + this.upload.url, this.asset);
  }

  private forget(): void {
    if (this.upload.url) localStorage.removeItem(ASSET_OF + this.upload.url);
  }

  private succeed(): void {
    const asset = this.asset || localStorage.getItem(ASSET_OF + this.upload.url) || "";
    this.forget();
    this.listener.finished(asset);
  }

  private mayRetry(error: DetailedError): boolean {
    const status = error.originalResponse?.getStatus() ?? 0;
    const retry = status === 0 || status === 409 || status === 423 || status === 429 || (status >= 500 && status !== 507);
    if (retry) this.listener.waiting();
    return retry;
  }

  private fail(error: Error | DetailedError): void {
    const response = error instanceof DetailedError ? error.originalResponse : null;
    const status = response?.getStatus() ?? 0;
    const sentence = response ? errorFrom(status, response.getBody()).message : sentenceFor(0);
    this.listener.failed(sentence, status);
  }
}

export interface Unfinished {
  name: string;
  size: number;
  discard(): Promise<void>;
}

function unfinished(entry: PreviousUpload): Unfinished {
  return {
    name: entry.metadata["title"] || entry.metadata["filename"] || "A video",
    size: entry.size ?? 0,
    discard: async () => {
      await defaultOptions.urlStorage.removeUpload(entry.urlStorageKey);
      const addresses = entry.uploadUrl ? [entry.uploadUrl] : (entry.parallelUploadUrls ?? []);
      for (const address of addresses) {
        localStorage.removeItem(ASSET_OF + address);
        await Upload.terminate(address, { ...defaultOptions, headers: authorization() });
      }
    },
  };
}

/** Uploads that an earlier visit began. Entries that no server keeps any more are forgotten. */
export async function unfinishedUploads(now: number): Promise<Unfinished[]> {
  const entries = await defaultOptions.urlStorage.findAllUploads();
  const kept: Unfinished[] = [];
  for (const entry of entries) {
    if (now - Date.parse(entry.creationTime) > FORGET_AFTER) await defaultOptions.urlStorage.removeUpload(entry.urlStorageKey);
    else kept.push(unfinished(entry));
  }
  return kept;
}
