/** The settings: a button, and a small panel with a row for each choice. A row goes with its control. */

import { element, icon } from "./element";

export class Menu {
  readonly panel: HTMLElement;
  readonly button = element("button", { type: "button", class: "icon", "aria-label": "Settings", title: "Settings", "aria-expanded": "false", click: () => this.show(Boolean(this.panel.hidden)) }, icon("gear"));

  constructor(player: HTMLElement, rows: readonly [string, HTMLElement][]) {
    const labels = rows.map(([name, control]) => element("label", {}, element("span", {}, name), control));
    this.panel = element("div", { class: "menu", role: "group", "aria-label": "Settings", hidden: true }, ...labels);
    player.addEventListener("pointerdown", (event) => {
      const inside = [this.panel, this.button].some((part) => part.contains(event.target as Node));
      if (!inside) this.show(false);
    });
    player.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.panel.hidden) return;
      event.stopPropagation();
      this.show(false);
      this.button.focus();
    });
  }

  private show(open: boolean): void {
    this.panel.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.panel.querySelector<HTMLElement>("select:not([hidden])")?.focus();
  }
}
