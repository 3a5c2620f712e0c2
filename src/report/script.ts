/** The one script of a page: tables that sort and filter, commands that are copied. Without scripts the page says the same. */

/** Allowed by its hash alone (`scriptHash`), so that nothing that a model's names might smuggle in could run. */
export const script = `
for (const sheet of document.querySelectorAll(".sheet")) {
  const body = sheet.querySelector("tbody");
  const rows = [...body.rows];
  const filter = sheet.querySelector(".filter");
  filter.hidden = false;
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  });
  sheet.querySelectorAll("th").forEach((head, column) => {
    head.tabIndex = 0;
    head.setAttribute("role", "button");
    const keyOf = (row) => {
      const cell = row.cells[column];
      if (head.dataset.sort === "text") return cell.textContent;
      return cell.dataset.key === "" ? null : Number(cell.dataset.key);
    };
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of sheet.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sorted = rows.map((row, index) => ({ row, index, key: keyOf(row) })).sort((a, b) => {
        if (a.key === b.key) return a.index - b.index;
        if (a.key === null) return 1;
        if (b.key === null) return -1;
        return (a.key < b.key ? -1 : 1) * (down ? -1 : 1);
      });
      body.append(...sorted.map(({ row }) => row));
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
  });
}
for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "copied";
  });
}
`;

/** SHA-256 of the script in Base64, as a content security policy takes it. `page.test.ts` computes it again. */
export const scriptHash = "TQQd1Z9Ok0gTFSYV+zI4G1wAJP13wwWsiYHlauUFz5Y=";
