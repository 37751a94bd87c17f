// A page's Uppy with its uploader for tus. Bundled by esbuild; `upload(endpoint, headers, chunkSize)` sends what was chosen.
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";

window.upload = async (endpoint, headers, chunkSize) => {
  const uppy = new Uppy({ autoProceed: false });
  uppy.use(Tus, { endpoint, headers, chunkSize: chunkSize ?? Infinity, retryDelays: [0, 200, 500, 1000, 2000] });
  const statuses = [];
  uppy.getPlugin("Tus").setOptions({
    onAfterResponse: (request, response) => statuses.push(`${request.getMethod()} ${response.getStatus()}`),
  });
  for (const file of document.querySelector("input").files) {
    uppy.addFile({ name: file.name, type: file.type, data: file });
  }
  const { successful, failed } = await uppy.upload();
  return { done: successful.map((file) => file.uploadURL), failed: failed.map((file) => String(file.error)), statuses };
};
