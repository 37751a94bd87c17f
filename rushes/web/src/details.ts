/** What is known of a video, below its player: qualities, labels, coverage, verdict, notes. */

import { type Asset, type Coverage, durationOf, type Label, type Rendition } from "./asset";
import { type Child, element } from "./element";
import { codecName } from "./quality";
import { bitrate, bytes, clock, coverageState, frameRate, verdictSentence } from "./words";

export function facts(asset: Asset): string {
  const { display_width: width, display_height: height, size } = asset.source ?? {};
  const duration = durationOf(asset);
  const parts = [
    duration !== null && clock(duration),
    width && height && `${width} × ${height}`,
    size && bytes(size),
    asset.published_at && `published ${new Date(asset.published_at).toLocaleString()}`,
  ];
  return parts.filter(Boolean).join(" · ");
}

function table(caption: string, heads: string[], rows: Child[][]): HTMLElement {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  return element("div", { class: "scroll" }, element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body)));
}

function renditionRow(one: Rendition): string[] {
  const size = one.width && one.height ? `${one.width} × ${one.height}` : "";
  const quality = one.vmaf == null ? "" : one.vmaf.toFixed(1);
  return [one.name, size, one.fps ? frameRate(one.fps) : "", one.bitrate ? bitrate(one.bitrate) : "", quality, codecName(one.codec ?? "")];
}

/** Without the column of VMAF where nothing was measured. */
function qualities(renditions: Rendition[]): HTMLElement {
  const heads = ["Name", "Size", "Rate", "Bitrate", "VMAF", "Codec"];
  const known = renditions.some((one) => one.vmaf != null);
  const kept = <T>(cells: T[]): T[] => cells.filter((_, column) => known || heads[column] !== "VMAF");
  return table("Renditions", kept(heads), renditions.map(renditionRow).map((row) => kept(row)));
}

function labelRow(label: Label, seek: (time: number) => void): Child[] {
  const jump = element("button", { type: "button", class: "small", click: () => seek(label.start) }, `${clock(label.start)} – ${clock(label.end)}`);
  return [label.name, (label.parents ?? []).join(" › "), `${Math.round(label.score * 100)} %`, jump];
}

function coverageRow(entry: Coverage): HTMLLIElement {
  return element("li", {}, `${entry.detector} ${coverageState(entry.state)}${entry.reason ? ` (${entry.reason})` : ""}`);
}

function section(title: string, ...children: Child[]): HTMLElement {
  return element("section", { class: "panel" }, element("h2", {}, title), ...children);
}

function moderation(asset: Asset, seek: (time: number) => void): HTMLElement | null {
  const { labels = [], coverage = [], verdict } = asset;
  if (!verdict && !labels.length && !coverage.length) return null;
  return section(
    "Moderation",
    verdict && element("p", {}, verdictSentence(verdict)),
    labels.length > 0 && table("Labels", ["Label", "Kind", "Score", "Where"], labels.map((label) => labelRow(label, seek))),
    coverage.length > 0 && element("ul", { class: "plain" }, ...coverage.map(coverageRow)),
  );
}

/** The sections that have something in them. */
export function sections(asset: Asset, seek: (time: number) => void): HTMLElement[] {
  const { renditions = [], notes = [], partial } = asset;
  const remarks = notes.map((note) => note.message);
  if (partial) remarks.unshift(`${clock(partial.missing_seconds)} of the source could not be decoded and are missing.`);
  const found = [
    renditions.length > 0 && section("Qualities", qualities(renditions)),
    moderation(asset, seek),
    remarks.length > 0 && section("Notes", element("ul", { class: "plain" }, ...remarks.map((text) => element("li", {}, text)))),
  ];
  return found.filter((part): part is HTMLElement => Boolean(part));
}
