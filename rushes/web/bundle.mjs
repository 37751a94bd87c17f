// Bundles src/ into the directory given as the argument: hashed files below static/, one HTML file per page, and
// beside each text file its Brotli and gzip forms, so that the server never compresses at request time.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const PAGES = { upload: "index", watch: "watch", embed: "embed", ops: "ops", missing: "missing" }; // source -> page
const BARE = new Set(["embed"]); // pages without our header, with a style sheet of their own
const PUBLIC_PATH = "/assets-static/";
const COMPRESSIBLE = /\.(js|css|html|svg|txt)$/;

const root = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const source = (name) => join(root, "src", name);
const target = process.argv[2] ?? join(root, "dist");
const staticTarget = join(target, "static");

async function bundle() {
  const scripts = Object.keys(PAGES).filter((page) => page !== "missing").map((page) => source(`${page}.ts`));
  const result = await build({
    entryPoints: [...scripts, source("style.css"), ...[...BARE].map((page) => source(`${page}.css`))],
    outdir: staticTarget,
    entryNames: "[name]-[hash]",
    chunkNames: "chunk-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["es2022", "chrome110", "firefox115", "safari16"],
    minify: true,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  return result.metafile;
}

function entries(metafile) {
  const found = {};
  for (const [path, output] of Object.entries(metafile.outputs)) {
    if (output.entryPoint) found[basename(output.entryPoint)] = PUBLIC_PATH + basename(path);
  }
  return found;
}

async function copyIcon() {
  const bytes = await readFile(source("icon.svg"));
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8);
  await writeFile(join(staticTarget, `icon-${hash}.svg`), bytes);
  return `${PUBLIC_PATH}icon-${hash}.svg`;
}

async function writePages(addresses) {
  const [layout, bare] = await Promise.all(["layout.html", "bare.html"].map((name) => readFile(source(name), "utf8")));
  for (const [page, name] of Object.entries(PAGES)) {
    const main = await readFile(source(`${page}.html`), "utf8");
    const title = /<!-- title: (.*?) -->\n/.exec(main);
    const script = addresses[`${page}.ts`];
    const values = {
      title: title[1],
      main: main.replace(title[0], "").trimEnd(),
      style: addresses[BARE.has(page) ? `${page}.css` : "style.css"],
      icon: addresses.icon,
      script: script ? `<script type="module" src="${script}"></script>` : "",
    };
    await writeFile(join(target, `${name}.html`), (BARE.has(page) ? bare : layout).replace(/{{(\w+)}}/g, (_, field) => values[field]));
  }
}

// The licences of the third-party code that ends up in the bundle travel with it.
async function writeLicences(metafile) {
  const names = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) names.add(match[1]);
  }
  const texts = [];
  for (const name of [...names].sort()) {
    const folder = join(root, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? await readFile(join(folder, file), "utf8") : `Licensed under ${license}.\n`;
    texts.push(`${name} ${version} (${license})\n\n${text}`);
  }
  await writeFile(join(staticTarget, "licences.txt"), texts.join(`\n${"-".repeat(78)}\n\n`));
}

// What a visitor of each page loads, gzipped, in bytes: with what its script imports, without what it loads later.
async function writeSizes(metafile) {
  const packed = async (path) => gzipSync(await readFile(join(root, path)), { level: 9 }).length;
  const lines = [];
  for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (!entryPoint?.endsWith(".ts")) continue;
    const files = new Set();
    const add = (one) => {
      if (files.has(one)) return;
      files.add(one);
      metafile.outputs[one].imports.filter(({ kind }) => kind === "import-statement").forEach((found) => add(found.path));
    };
    add(path);
    const sizes = await Promise.all([...files].map(packed));
    lines.push(`${basename(entryPoint, ".ts")} ${sizes.reduce((sum, size) => sum + size, 0)}\n`);
  }
  await writeFile(join(target, "sizes.tsv"), lines.join("").replaceAll(" ", "\t"));
}

async function compress(folder) {
  for (const name of await readdir(folder)) {
    if (!COMPRESSIBLE.test(name)) continue;
    const bytes = await readFile(join(folder, name));
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    await writeFile(join(folder, `${name}.br`), brotliCompressSync(bytes, { params }));
    await writeFile(join(folder, `${name}.gz`), gzipSync(bytes, { level: 9 }));
  }
}

await mkdir(staticTarget, { recursive: true });
const metafile = await bundle();
await writePages({ ...entries(metafile), icon: await copyIcon() });
await writeLicences(metafile);
await writeSizes(metafile);
await compress(target);
await compress(staticTarget);
