// Writes the page's files into ../assets, or another folder: node build.mjs FOLDER
// The same sources and the same package-lock.json give the same bytes.
import { build } from "esbuild";
import { copyFileSync } from "node:fs";
import { join } from "node:path";

const front = new URL(".", import.meta.url).pathname;
const assets = process.argv[2] ?? join(front, "../assets");
await build({
  absWorkingDir: front,
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
for (const name of ["index.html", "icon.svg"]) copyFileSync(join(front, "src", name), join(assets, name));
