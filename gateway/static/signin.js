// Signing in with the gateway's issuer: OpenID Connect, Authorization Code with PKCE as a public client (RFC 9700, RFC 7636).
// The tokens live in this page's memory alone.

import { Refused } from "./api.js";
import { make } from "./dom.js";
import { keep } from "./landing.js";
import { claimsOf } from "./session.js";
import * as oauth from "./vendor/oauth4webapi-3.8.8/index.js";

const TOLD_CHARACTERS = 200;
const INSECURE = "Signing in needs a page by https: the browser has no cryptography for others.";
const NOT_BEGUN = "This sign-in was not begun in this window, so it was not finished.";

// The address that the issuer knows: this page, exactly, without query and fragment.
const here = () => location.origin + location.pathname;

// Leads to the issuer; it leads back to the place that `hash` names.
export async function leave(api, hash) {
  if (!isSecureContext) throw new Error(INSECURE);
  const issuer = await api.json("/auth/issuer");
  const verifier = oauth.generateRandomCodeVerifier();
  const question = { state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), verifier, hash };
  const url = new URL(issuer.authorization_endpoint);
  const asked = {
    ...issuer.parameters,
    response_type: "code",
    client_id: issuer.client_id,
    redirect_uri: here(),
    scope: issuer.scope,
    state: question.state,
    nonce: question.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  keep(question);
  location.assign(url);
}

// Has the session begin by what the issuer answered; returns null, or a sentence on why it does not.
export async function arrive(api, session, { answer, question }) {
  if (!question) return NOT_BEGUN;
  try {
    const grant = await Grant.by(await api.json("/auth/issuer"), answer, question);
    // A token that the gateway does not take would end the session at once.
    await api.ask(api.url("/datasets", { limit: 1 }), { bearer: grant.bearer });
    session.begin(grant.bearer, { grant });
    return null;
  } catch (error) {
    return told(error);
  }
}

// Returns what went wrong. What the issuer says of it is text, cut; it is told only in answers to questions of this window.
export function told(error) {
  if (error instanceof Refused) return error.status === 401 ? `The gateway does not accept the issuer's token. ${error.message}` : error.message;
  if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
    return `The issuer refuses: ${String(error.error_description ?? error.error).slice(0, TOLD_CHARACTERS)}`;
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) return "The issuer refuses: it does not know this client.";
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return /"state"/.test(error.message) ? NOT_BEGUN : `The issuer's answer is not to be trusted: ${error.message}.`;
  }
  // Whom the browser could not ask, or not for this page.
  if (error instanceof TypeError) return "The issuer does not answer this page.";
  return error.message;
}

// What the issuer gave: an access token for the gateway, until a moment, and what renews and ends it.
export class Grant {
  #issuer;
  #client;
  #refresh;
  #id;

  static async by(issuer, answer, { state, nonce, verifier }) {
    const grant = new Grant(issuer);
    const checked = oauth.validateAuthResponse(issuer, grant.#client, answer, state);
    const response = await oauth.authorizationCodeGrantRequest(issuer, grant.#client, oauth.None(), checked, here(), verifier, grant.#options);
    grant.#take(await oauth.processAuthorizationCodeResponse(issuer, grant.#client, response, { expectedNonce: nonce, requireIdToken: true }));
    return grant;
  }

  constructor(issuer) {
    this.#issuer = issuer;
    this.#client = { client_id: issuer.client_id };
  }

  get renewable() { return Boolean(this.#refresh); }

  // How the ID token names the visitor, null where it does not.
  get name() { return this.claims.name ?? this.claims.preferred_username ?? null; }

  get endsElsewhere() { return Boolean(this.#issuer.end_session_endpoint); }

  // Takes the next access token; a refresh token is good once where the issuer rotates them (RFC 9700 section 4.14.2).
  async renew() {
    const response = await oauth.refreshTokenGrantRequest(this.#issuer, this.#client, oauth.None(), this.#refresh, this.#options);
    this.#take(await oauth.processRefreshTokenResponse(this.#issuer, this.#client, response));
    return this.bearer;
  }

  // Has the issuer forget the refresh token (RFC 7009); whether it does is not waited for.
  drop() {
    const token = this.#refresh;
    this.#refresh = null;
    if (!token || !this.#issuer.revocation_endpoint) return;
    oauth.revocationRequest(this.#issuer, this.#client, oauth.None(), token, this.#options).catch(() => {});
  }

  // Leaves the page for the issuer, to end its session (RP-Initiated Logout 1.0): by POST, for no token belongs into an address.
  leave() {
    const fields = { id_token_hint: this.#id, client_id: this.#issuer.client_id, post_logout_redirect_uri: here() };
    const form = make("form", { method: "post", action: this.#issuer.end_session_endpoint, hidden: true });
    for (const [name, value] of Object.entries(fields)) form.append(make("input", { name, value }));
    document.body.append(form);
    form.submit();
  }

  #take(response) {
    const claims = oauth.getValidatedIdTokenClaims(response);
    if (claims && this.claims && claims.sub !== this.claims.sub) throw new oauth.OperationProcessingError('unexpected "sub" (subject) of a renewed token');
    this.claims = claims ?? this.claims;
    this.#id = response.id_token ?? this.#id;
    this.#refresh = response.refresh_token ?? this.#refresh;
    this.bearer = response.access_token;
    const seconds = response.expires_in ?? claimsOf(this.bearer).exp - Date.now() / 1000;
    // Not known of a token that says nothing of it.
    this.lifeMs = seconds > 0 ? seconds * 1000 : null;
    this.endsAt = Date.now() + this.lifeMs;
  }

  get #options() {
    // An issuer in the clear is the operator's choice, for one on the same machine.
    return { [oauth.allowInsecureRequests]: this.#issuer.issuer.startsWith("http:"), additionalParameters: this.#issuer.parameters };
  }
}
