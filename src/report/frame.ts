/** What every page is: one file without a network, whose only script is ours. */
import { html, Markup } from "./markup.ts";
import { script, scriptHash } from "./script.ts";
import { css } from "./style.ts";

export function frame(title: string, body: Markup): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'`;
  return `<!doctype html>\n${html`<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="generator" content="Made by Avocet"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>${title}</title><style>${new Markup(css)}</style></head>
<body><main>${body}</main><script>${new Markup(script)}</script></body></html>`}\n`;
}
