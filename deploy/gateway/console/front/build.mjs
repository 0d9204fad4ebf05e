// Writes the page's files into ../assets; the same sources and lock file give the same bytes.
import { build } from "esbuild";
import { copyFileSync } from "node:fs";

const assets = new URL("../assets/", import.meta.url).pathname;
await build({
  entryPoints: { console: "src/main.tsx", style: "src/style.css" },
  outdir: assets,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  legalComments: "inline",
});
for (const name of ["index.html", "icon.svg"]) copyFileSync(`src/${name}`, `${assets}${name}`);
