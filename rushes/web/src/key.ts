/** Asks for the API key when the server wants one. It stays in this tab's session storage. */

import { apiKey, rememberKey } from "./api";
import { element, fill } from "./element";

export function askForKey(place: HTMLElement, proceed: () => void): void {
  const field = element("input", {
    id: "api-key",
    type: "password",
    autocomplete: "off",
    required: true,
    spellcheck: "false",
    "aria-describedby": "api-key-hint",
  });
  const submit = (event: Event) => {
    event.preventDefault();
    rememberKey(field.value.trim());
    fill(place);
    place.hidden = true;
    proceed();
  };
  const hint = apiKey() ? "The server did not accept that key. Please try another one." : "It is kept in this tab only.";
  fill(
    place,
    element(
      "form",
      { class: "panel key", submit },
      element("label", { for: "api-key" }, "This server asks for an API key"),
      element("div", { class: "row" }, field, element("button", { class: "primary" }, "Continue")),
      element("p", { id: "api-key-hint", class: "hint" }, hint),
    ),
  );
  place.hidden = false;
  field.focus();
}
