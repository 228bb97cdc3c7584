"use strict";
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

for (const button of all("th button")) {
  button.disabled = false;
  button.addEventListener("click", () => sort(button.closest("th")));
}
function sort(th) {
  const body = th.closest("table").tBodies[0], was = th.getAttribute("aria-sort");
  const first = th.dataset.first || "ascending", other = first === "ascending" ? "descending" : "ascending";
  const order = was === first ? other : first, sign = order === "ascending" ? 1 : -1;
  for (const head of th.parentNode.cells) head.removeAttribute("aria-sort");
  th.setAttribute("aria-sort", order);
  const key = row => row.cells[th.cellIndex].dataset.value ?? "";
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");  // missing comes last in either order
    const text = isNaN(a) || isNaN(b);
    return sign * (text ? a.localeCompare(b) : a - b);
  };
  body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
}

const filters = document.querySelector(".filters");
if (filters) {
  filters.hidden = false;
  filters.addEventListener("change", filter);
  filters.querySelector("button").addEventListener("click", () => {
    for (const box of all(":checked", filters)) box.checked = false;
    filter();
  });
  filter();
}
function filter() {
  const chosen = new Map();
  for (const box of all(":checked", filters)) chosen.set(box.name, [...(chosen.get(box.name) ?? []), box.value]);
  const fits = (element, names) =>
    names.every(name => !chosen.has(name) || chosen.get(name).includes(element.dataset[name]));
  for (const row of all(".panel tr[data-family]"))
    row.hidden = !("always" in row.dataset || fits(row, ["family", "encoder"]));
  for (const th of all(".panel th[data-level]")) {
    const hidden = !fits(th, ["level", "corpus"]);
    for (const row of th.closest("table").rows) row.cells[th.cellIndex].hidden = hidden;
  }
  tell(chosen.size > 0);
}
function tell(filtered) {
  const table = document.querySelector("table.main");
  const count = (selector, noun) => {
    const found = all(selector, table), shown = found.filter(element => !element.hidden);
    return (shown.length < found.length ? `${shown.length} of ` : "all ") + `${found.length} ${noun}`;
  };
  const shown = `Showing ${count("tbody tr", "rows")} and ${count("th[data-level]", "tasks")}.`;
  filters.querySelector("[role=status]").textContent =
    shown + (filtered ? " Ranks and marks are over all; constant and random always stay." : "");
  filters.querySelector("button").hidden = !filtered;
}

addEventListener("hashchange", reveal);
reveal();
function reveal() {
  const target = document.getElementById(location.hash.slice(1));  // ids are plain ASCII
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target.matches(".fold")) target.querySelector("details").open = true;
  target.scrollIntoView();
}
