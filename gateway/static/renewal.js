// An access token of an issuer ends: it is renewed before, or the visitor is told.

import { clock } from "./format.js";

// So long before its end a token is renewed: a minute, of a short one a quarter of its life.
const MARGIN_MS = 60_000;
const AGAIN_MS = 10_000;
// As long as a timer can wait.
const LONGEST_MS = 2 ** 31 - 1;

// Keeps the session's bearer fresh; `tell(text, action, run)` is the banner, and `leave` leads to the issuer and back here.
// Without a refresh token nothing can be renewed behind the visitor's back: a frame of the issuer would not be given its
// cookies, and going there by itself would take away what is open. So it is said, and one click goes there.
export function keepFresh(session, tell, leave) {
  let timer = 0;
  let told = false;

  const say = (text) => { told = true; tell(text, "Sign in again", leave); };

  function plan() {
    clearTimeout(timer);
    if (told) tell("");
    told = false;
    const { grant } = session;
    if (grant?.lifeMs) wait(grant, grant.endsAt - Date.now() - Math.min(MARGIN_MS, grant.lifeMs / 4));
  }

  function wait(grant, ms) { timer = setTimeout(() => due(grant), Math.min(Math.max(ms, 0), LONGEST_MS)); }

  async function due(grant) {
    if (grant !== session.grant) return;
    if (!grant.renewable) return say(`Your sign-in ends at ${clock(grant.endsAt)}.`);
    try {
      await session.renewed();
    } catch (error) {
      if (grant !== session.grant) return;
      // Whom the browser could not reach may be back before the end.
      if (error instanceof TypeError && grant.endsAt - Date.now() > AGAIN_MS) return wait(grant, AGAIN_MS);
      const { told: reason } = await import("./signin.js");
      say(`Your sign-in could not be renewed and ends at ${clock(grant.endsAt)}. ${reason(error)}`);
    }
  }

  session.addEventListener("change", plan);
  session.addEventListener("renewed", plan);
  plan();
}
