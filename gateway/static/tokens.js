// Tokens of one's own, for QGIS and other programs that cannot sign in.

import { make } from "./dom.js";
import { OnRecordDialog, choices, field } from "./onrecord.js";

export class TokensDialog extends OnRecordDialog {
  constructor(api) {
    const name = make("input", { type: "text", maxlength: 255, required: true, value: "QGIS", autocomplete: "off" });
    const scope = make("select", {}, ...choices([["view", "Look at maps"], ["download", "Look at maps and download files"]], "download"));
    super(api, {
      id: "tokens", title: "Access tokens", path: "/auth/tokens", list: "tokens", secret: "token", days: 90, act: "Make a token",
      note: "For programs that cannot sign in: as a bearer token, or as the password of HTTP Basic with any user name. A token never opens more than you may have.",
      fields: [field("Name", name), field("To", scope)],
    });
    Object.assign(this, { name, scope });
  }

  body() { return { name: this.name.value, scope: [this.scope.value] }; }

  shows() { return true; }

  named(each) { return each.name; }

  told(each) { return [each.scope.includes("download") ? "view and download" : "view", ...(each.for === "all" ? [] : [each.for])]; }
}
