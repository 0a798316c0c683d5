// What an issuer sent the visitor back with (RFC 6749 section 4.1.2): taken out of the address before anything is asked for.

// This page is another one when the browser comes back from the issuer, so this has to be kept meanwhile: state and nonce,
// which tell that the answer belongs to the question, the code_verifier, without which the code is worth nothing, and
// where the visitor was. Never a token. The next page of this window removes it at its first line.
const KEY = "signin";

export function keep(question) { sessionStorage.setItem(KEY, JSON.stringify(question)); }

function taken() {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const answer = new URLSearchParams(location.search);
const question = taken();
// The parameters that came, and the question that they should belong to; null on a page that nobody was sent back to.
export const landed = answer.has("code") || answer.has("error") ? { answer, question } : null;
if (landed) history.replaceState(null, "", location.pathname + (question?.hash ?? ""));
// Back at a page that the browser has frozen.
addEventListener("pageshow", ({ persisted }) => persisted && taken());
