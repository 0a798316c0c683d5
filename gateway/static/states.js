// What stands in the place of a list or a dataset that cannot be shown: why, and what can be done.

const REMOVED = "It may have been removed, or it is";

export function nothing({ narrowed, anonymous }, { clear, signIn }) {
  if (narrowed) return { title: "Nothing matches.", hint: "Other words or days, or fewer of them, may find more.", action: "Clear the search", run: clear };
  const title = "There are no datasets to see.";
  if (anonymous) return { title, hint: "Some may be there for those who sign in.", action: "Sign in", run: signIn };
  return { title, hint: "None has been shared with you so far. Their owner or an administrator can do that." };
}

export const wrongDays = (title, clear) => ({ title, hint: "Choose other days, or take them away.", action: "Any time", run: clear });

export const unknownCollection = (circumstances, ways) => unknown("collection", circumstances, ways);

export const unknownDataset = (circumstances, ways) => unknown("dataset", circumstances, ways);

function unknown(name, { anonymous }, { signIn }) {
  const title = `There is no such ${name} for you.`;
  if (anonymous) return { title, hint: `${REMOVED} for those who sign in.`, action: "Sign in", run: signIn };
  return { title, hint: `${REMOVED} not shared with you.` };
}

export const refusedList = (error, again) => ({ title: "The list was refused.", hint: error.message, action: "Try again", run: again });
