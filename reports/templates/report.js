"use strict";
(function () {
  const root = document.documentElement;

  const theme = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  prefersDark.addEventListener("change", nameTheme);
  nameTheme();

  const shown = document.getElementById("shown");
  const valueOf = (row, place) => {
    const cell = row.cells[place];
    return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  };
  const compare = (place, sign) => (left, right) => {
    const a = valueOf(left, place), b = valueOf(right, place);
    if (a === null && b === null) {
      return sign * left.cells[place].textContent.localeCompare(right.cells[place].textContent, "en", { numeric: true });
    }
    // What has no figure stands last, whichever way the rest is sorted.
    if (a === null || b === null) { return a === null ? 1 : -1; }
    return sign * (a - b);
  };
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, place) => {
      const name = head.querySelector(".name");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name.textContent;
      name.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        body.append(...Array.from(body.rows).sort(compare(place, down ? -1 : 1)));
        shown.textContent = "Sorted by " + button.textContent + (down ? ", largest first" : ", smallest first");
      });
    });
  }

  const filter = document.getElementById("filter");
  const words = document.getElementById("words");
  const rows = Array.from(document.querySelectorAll("table[data-sortable] tbody tr"));
  filter.hidden = false;
  words.addEventListener("input", () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = wanted.length ? count + " of " + rows.length + " rows shown" : "";
  });

  for (const block of document.querySelectorAll("pre")) {
    if (!navigator.clipboard) { break; }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(block.textContent).then(() => { button.textContent = "Copied"; });
    });
    block.after(button);
  }
})();
