// Arrow keys lead from the search into the lists, from one list into the next, and back.

// `lists` are Rows, in the order in which they stand.
export function leadThrough(search, lists) {
  const enter = (list, row) => { list.focus(row); return true; };
  const down = (number) => lists.slice(number).some((list) => list.count && enter(list, 0));
  const up = (number) => lists.slice(0, number).reverse().some((list) => list.count && enter(list, list.count - 1));
  search.addEventListener("keydown", (event) => { if (event.key === "ArrowDown" && down(0)) event.preventDefault(); });
  lists.forEach((list, number) => list.addEventListener("past", ({ detail }) => {
    if (detail > 0) down(number + 1);
    else if (!up(number)) search.focus();
  }));
}
