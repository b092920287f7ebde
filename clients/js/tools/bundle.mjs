// Copy what the service's own pages load of the built package. node tools/bundle.mjs TARGET
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const DIST = join(import.meta.dirname, "..", "dist");
const OTHERS = new Set(["element.js", "style.js", "words.js"]);

const target = process.argv[2];
rmSync(target, { recursive: true, force: true });
for (const name of readdirSync(DIST, { recursive: true })) {
  if (!/\.(js|bin)$/.test(name) || OTHERS.has(name) || name.startsWith("node")) continue; // node: for servers
  mkdirSync(dirname(join(target, name)), { recursive: true });
  cpSync(join(DIST, name), join(target, name));
}
