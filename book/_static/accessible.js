// What the theme, the bibliography and the widgets lack for keyboards and screen readers.
document.addEventListener("DOMContentLoaded", () => {
  const all = (selector) => document.querySelectorAll(selector);

  // The logo stands outside of all landmarks, and the arrow that unfolds a part has no name.
  for (const logo of all(".sidebar-primary-item:has(> .navbar-brand)")) {
    logo.setAttribute("role", "navigation");
    logo.setAttribute("aria-label", "Home");
  }
  for (const arrow of all(".bd-sidenav summary")) {
    arrow.setAttribute("aria-label", `Chapters of ${arrow.closest("li").querySelector("a").textContent}`);
  }

  // Papers are entries of a list, but have a role that lists don't know any longer.
  for (const paper of all("[role=doc-biblioentry]")) paper.setAttribute("role", "listitem");

  // The corner of a table with named rows and columns is no header.
  for (const corner of all("thead th")) {
    if (!corner.textContent.trim()) corner.replaceWith(document.createElement("td"));
  }

  // What scrolls can be reached with the keyboard. The theme looks at code only, and not at what is unfolded later.
  const sizes = new ResizeObserver((changes) => {
    for (const { target } of changes) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
  });
  // A slider's label stands beside it, but isn't its name.
  const attend = () => {
    for (const box of all(".bd-article :is(pre, .cell_output, .cell_output > .output, .pst-scrollable-table-container, span.math, div.math > mjx-container)")) sizes.observe(box);
    for (const handle of all(".widget-slider [role=slider]")) {
      handle.setAttribute("aria-label", handle.closest(".widget-slider").querySelector(".widget-label").textContent);
    }
  };
  attend();
  new MutationObserver(attend).observe(document.querySelector("main"), { childList: true, subtree: true }); // formulas, widgets
});
