// Uploads a file with tus-js-client as a page would, and prints one line of JSON.
// node upload.mjs ENDPOINT FILE '{"chunkSize": bytes | null, "pauseAt": bytes | null, "abandonAt": bytes | null, "url": ...,
//   "parallel": number of parts at once, "deferred": the length is not known before the end, "headers": {...}}'
import { createReadStream, statSync } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { Upload } from "tus-js-client";

const [endpoint, file, given] = process.argv.slice(2);
const options = JSON.parse(given ?? "{}");
const seen = { offsets: [], statuses: [], troubles: [], resumed: 0, asset: null };

function finish(result) {
  console.log(JSON.stringify({ ...seen, ...result }));
  process.exit(result.error ? 1 : 0);
}

// A stream that is not known to be a file has no length before its end.
const stream = createReadStream(file);
const source = options.deferred ? Readable.from(stream, { objectMode: false }) : stream;
const upload = new Upload(source, {
  endpoint,
  uploadUrl: options.url ?? null,
  uploadSize: options.deferred || options.parallel ? null : statSync(file).size,
  uploadLengthDeferred: options.deferred ?? false,
  parallelUploads: options.parallel ?? 1,
  headers: options.headers ?? {},
  chunkSize: options.chunkSize ?? Infinity,
  uploadDataDuringCreation: options.duringCreation ?? false,
  overridePatchMethod: options.override ?? false,
  retryDelays: [0, 200, 500, 1000, 2000, 5000, 10000],
  metadata: { filename: basename(file), filetype: "video/mp4" },
  onAfterResponse(request, response) {
    seen.statuses.push(`${request.getMethod()} ${response.getStatus()}`);
    seen.asset = response.getHeader("Rushes-Asset") ?? seen.asset;
  },
  onShouldRetry(error) {
    seen.troubles.push(String(error));
    const status = error.originalResponse?.getStatus() ?? 0;
    return status < 400 || status >= 500 || status === 409 || status === 423;
  },
  onProgress(sent) {
    if (options.abandonAt && sent >= options.abandonAt) {
      process.kill(process.pid, "SIGKILL");
    }
    if (options.pauseAt && sent >= options.pauseAt && seen.resumed === 0) {
      seen.resumed += 1;
      upload.abort().then(() => setTimeout(() => upload.start(), 50));
    }
    if (options.terminateAt && sent >= options.terminateAt) {
      options.terminateAt = null;
      upload.abort(true).then(
        () => finish({ url: upload.url, terminated: true }),
        (error) => finish({ error: String(error) }),
      );
    }
  },
  onChunkComplete(size, accepted) {
    seen.offsets.push(accepted);
  },
  onUploadUrlAvailable() {
    console.error(upload.url);
  },
  onError(error) {
    finish({ error: String(error) });
  },
  onSuccess() {
    finish({ url: upload.url });
  },
});
upload.start();
