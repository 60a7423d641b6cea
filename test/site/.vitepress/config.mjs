// The site is made of the documents as they stand in docs/.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { createRequire } from "node:module";
import { defineConfig } from "vitepress";

const { resolve: installed } = createRequire(import.meta.url);
const docs = process.env.SITE_DOCS;
const repository = resolve(docs, "..");
const source = "https://github.com/belfry-push/belfry";

// outside turns a link that leaves docs/ into one to the repository on the web, and
// fails if it leads nowhere. VitePress checks those that stay inside.
function outside(href, page) {
  if (/^([a-z]+:|#|\/)/.test(href)) return href;
  const [path, anchor] = href.split("#");
  const file = resolve(docs, dirname(page), path);
  const inside = relative(docs, file);
  if (!existsSync(file)) throw new Error(`${page}: the link ${href} leads nowhere`);
  const folder = statSync(file).isDirectory();
  if (!inside.startsWith("..") && !folder && file.endsWith(".md")) return href;
  const name = relative(repository, file);
  return `${source}/${folder ? "tree" : "blob"}/main/${name}${anchor ? `#${anchor}` : ""}`;
}

// Tables are most of a reference: they get the room.
const tables = `
.vp-doc th, .vp-doc td { padding: 6px 12px; vertical-align: top }
@media (min-width: 960px) { .vp-doc td:nth-child(n+3):last-child { min-width: 20em } }
.VPDoc:not(.has-aside) .container, .VPDoc:not(.has-aside) .content { max-width: 1200px !important }
`;

const page = (text, name) => ({ text, link: `/${name}` });

// Each alert has a runbook, which is called as its heading says.
const runbooks = readdirSync(resolve(docs, "runbooks"))
  .filter((file) => file.endsWith(".md") && file !== "dead-letters.md")
  .map((file) => page(readFileSync(resolve(docs, "runbooks", file), "utf8").match(/^# (.*)/m)[1], `runbooks/${file.slice(0, -3)}`));

export default defineConfig({
  title: "Belfry",
  description: "Push notifications through FCM, with an outcome for every delivery",
  lang: "en",
  srcDir: docs,
  outDir: process.env.SITE_OUT,
  cacheDir: resolve(import.meta.dirname, "cache"),
  base: process.env.SITE_BASE,
  head: [["style", {}, tables]],
  lastUpdated: false,
  transformPageData(data) {
    if (data.relativePath === "settings.md") data.frontmatter.aside = false; // one table, no headings
  },
  vite: {
    // The documents have no node_modules above them.
    resolve: {
      alias: [
        { find: /^vue\/server-renderer$/, replacement: installed("vue/server-renderer") },
        { find: /^vue$/, replacement: installed("vue/dist/vue.runtime.esm-bundler.js") },
      ],
    },
  },
  markdown: {
    config(md) {
      // To Vue, {{ in a text is a program.
      for (const rule of ["code_inline", "text"]) {
        const render = md.renderer.rules[rule];
        md.renderer.rules[rule] = (...args) => render(...args).replaceAll("{{", "&#123;&#123;");
      }
      md.core.ruler.push("outside", (state) => {
        for (const block of state.tokens) {
          for (const token of block.children ?? []) {
            if (token.type === "link_open") token.attrSet("href", outside(token.attrGet("href"), state.env.relativePath));
          }
        }
      });
    },
    // As GitHub names headings, so that the same links work in both.
    anchor: {
      slugify: (s) => s.trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replace(/ /g, "-"),
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      page("First steps", "first-steps"),
      page("Operating", "operating"),
      page("FAQ", "faq"),
      { text: "API reference", link: "/api-reference.html", target: "_self" },
    ],
    socialLinks: [{ icon: "github", link: source }],
    sidebar: [
      {
        text: "Begin",
        items: [page("Overview", ""), page("Install", "install"), page("First steps", "first-steps"), page("Glossary", "glossary"), page("FAQ", "faq")],
      },
      {
        text: "Use",
        items: [
          page("Sending", "sending"),
          page("Devices", "devices"),
          page("Batches", "batches"),
          page("Dead letters", "dead-letters"),
          page("Watching", "watching"),
          page("Messages", "messages"),
          page("Input", "input"),
          page("Outgoing events", "events"),
        ],
      },
      {
        text: "Operate",
        items: [
          page("At 3 a.m.", "operating"),
          page("An outage, played", "outage"),
          page("Runbook by code", "runbooks/dead-letters"),
          page("Status", "status"),
          page("Console", "console"),
          page("Tail", "tail"),
          page("Logs", "logs"),
          page("Metrics", "metrics"),
          page("Objectives", "slo"),
          page("Traces", "tracing"),
          page("Security", "security"),
          page("Backup", "backup"),
          page("AWS", "aws"),
          page("Performance", "performance"),
          page("Costs", "cost"),
        ],
      },
      { text: "Alerts", collapsed: true, items: runbooks },
      {
        text: "Tenants",
        items: [
          page("Tenants and keys", "tenants"),
          page("Permissions", "permissions"),
          page("FCM credentials", "credentials"),
          page("Fairness", "fairness"),
          page("Pauses", "quotas"),
          page("Audit log", "audit"),
          page("Privacy", "privacy"),
          page("Usage", "usage"),
        ],
      },
      {
        text: "Reference",
        items: [
          { text: "API", link: "/api-reference.html", target: "_self" },
          page("The API, to generate clients", "api"),
          page("belfry", "cli/belfry"),
          page("dlq-replayer", "cli/dlq-replayer"),
          page("ingest", "cli/ingest"),
          page("dispatcher", "cli/dispatcher"),
          page("Settings", "settings"),
          page("FCM simulator", "simulator"),
        ],
      },
      {
        text: "Inside",
        collapsed: true,
        items: [
          page("The house", "ARCHITECTURE"),
          page("States", "states"),
          page("DynamoDB", "dynamodb"),
          page("How to add something", "development"),
        ],
      },
    ],
  },
});
