// What stands in the place of a list or a dataset that cannot be shown: why, and what can be done.

import { Refused } from "./api.js";

const REMOVED = "It may have been removed, or it is";

export function nothing({ narrowed, anonymous }, { clear, signIn }) {
  if (narrowed) return { title: "Nothing matches.", hint: "Other words or days, or fewer of them, may find more.", action: "Clear the search", run: clear };
  const title = "There are no datasets to see.";
  if (anonymous) return { title, hint: "Some may be there for those who sign in.", action: "Sign in", run: signIn };
  return { title, hint: "None has been shared with you so far. Their owner or an administrator can do that." };
}

export const wrongDays = (title, clear) => ({ title, hint: "Choose other days, or take them away.", action: "Any time", run: clear });

export const unknownCollection = (circumstances, ways) => unknown("collection", circumstances, ways);

// Of a dataset that was refused or not reached; `known` where what is on record of it is shown already.
export function failedDataset(error, { known, anonymous }, { signIn, again }) {
  // The banner tells of a server that has gone.
  if (!(error instanceof Refused)) return { title: "Waiting for the server …", busy: true };
  if (error.status === 401) return { title: "Your sign-in has expired.", action: "Sign in", run: signIn };
  if (![403, 404, 422].includes(error.status)) return { title: "The dataset cannot be shown now.", hint: error.message, action: "Try again", run: again };
  if (known) return { title: "It cannot be drawn on the map.", hint: error.message };
  return unknown("dataset", { anonymous }, { signIn });
}

function unknown(name, { anonymous }, { signIn }) {
  const title = `There is no such ${name} for you.`;
  if (anonymous) return { title, hint: `${REMOVED} for those who sign in.`, action: "Sign in", run: signIn };
  return { title, hint: `${REMOVED} not shared with you.` };
}

export const refusedList = (error, again) => ({ title: "The list was refused.", hint: error.message, action: "Try again", run: again });
