// The interactive reference, by Swagger UI, from this service's own document.

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const root = document.getElementById("reference");

/** What it draws can't all be used by keyboard and by ear: name its fields, and let its examples be scrolled. */
function amend() {
  for (const box of root.querySelectorAll("pre:not([tabindex])")) box.tabIndex = 0;
  for (const field of root.querySelectorAll("input:not([aria-label]), select:not([aria-label]), textarea:not([aria-label])")) {
    if (field.labels?.length) continue;
    const name = field.closest("tr")?.querySelector(".parameter__name")?.firstChild?.textContent;
    field.setAttribute("aria-label", name?.trim() || field.placeholder || "value");
  }
  for (const cross of root.querySelectorAll(".close-modal:not([aria-label])")) cross.setAttribute("aria-label", "Close");
  // A part of this page's main content, and no second one.
  const routes = document.getElementById("operations");
  routes?.setAttribute("role", "presentation");
}

new MutationObserver(amend).observe(root, { childList: true, subtree: true });

globalThis.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  presets: [globalThis.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  validatorUrl: null,
  supportedSubmitMethods: ["get", "post", "delete"],
});
