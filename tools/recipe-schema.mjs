// Writes schema/recipe.schema.json, the JSON Schema of recipes that editors read: npm run schema
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { recipeJsonSchema } from "../dist/recipe/inner.js";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "schema");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "recipe.schema.json"), `${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);
