// A page that is opened by a link to share: the link is exchanged for a token that asks for what it gives.

import { Refused } from "./api.js";

// Returns null, or why the link opens nothing.
export async function openedBy(link, api, session) {
  try {
    const { token } = await api.json("/auth/link-token", { method: "POST", bearer: link });
    session.begin(token, { link });
    return null;
  } catch (error) {
    return error instanceof Refused && error.status === 401 ? "This link opens nothing any more." : error.message;
  }
}
