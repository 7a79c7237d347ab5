// The filter of the page of claims. Without this script, the page shows all claims and no filter.
document.addEventListener("DOMContentLoaded", () => {
  const heading = (section) => (section.querySelector("h2, h3")?.textContent ?? "").replace(/#$/, "").trim();
  const claims = [...document.querySelectorAll(".bd-article section section section")]
    .filter((section) => /^C\d+\./.test(heading(section)))
    .map((section) => {
      const fields = {};
      for (const name of section.querySelectorAll("dl.field-list > dt")) {
        fields[name.firstChild.textContent] = name.nextElementSibling;
      }
      return {
        section,
        family: heading(section.parentElement),
        also: fields["Also about"]?.textContent.toLowerCase() ?? "",
        verdict: fields.Verdict.querySelector("strong").textContent.replace(/\.$/, ""),
        text: section.textContent.toLowerCase(),
        entry: document.querySelector(`.bd-sidebar-secondary a[href="#${section.id}"]`)?.closest("li"),
      };
    });
  if (!claims.length) return;

  const families = [...new Set(claims.map((claim) => claim.family))];
  const choice = (name, label, values) =>
    `<label>${label} <select name="${name}"><option value="">all</option>${values.map((v) => `<option>${v}</option>`).join("")}</select></label>`;
  const form = document.createElement("form");
  form.className = "claims-filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Filter the claims");
  form.innerHTML = [
    choice("family", "Family", families),
    choice("verdict", "Verdict", ["Holds", "Holds in part", "Not here", "Wrong"]),
    '<label>Words <input name="words" type="search" autocomplete="off"></label>',
    '<button type="reset">Show all</button><output></output>',
  ].join("");
  const first = claims[0].section.parentElement;
  first.before(form);

  const filter = () => {
    const { family, verdict, words } = form.elements;
    const wanted = words.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const claim of claims) {
      const fits =
        (!family.value || claim.family === family.value || claim.also.includes(family.value.toLowerCase())) &&
        (!verdict.value || claim.verdict === verdict.value) &&
        wanted.every((word) => claim.text.includes(word));
      claim.section.hidden = !fits;
      if (claim.entry) claim.entry.hidden = !fits;
      shown += fits;
    }
    for (const section of new Set(claims.map((claim) => claim.section.parentElement))) {
      section.hidden = claims.every((claim) => claim.section.parentElement !== section || claim.section.hidden);
    }
    form.querySelector("output").textContent = `${shown} of ${claims.length} claims`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter)); // after the fields are empty
  form.addEventListener("submit", (event) => event.preventDefault());
  // A link to a claim that the filter hides shows it.
  addEventListener("hashchange", () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target?.closest("[hidden]")) {
      form.reset();
      setTimeout(() => target.scrollIntoView());
    }
  });
  filter();
});
