// Types from an OpenAPI document: node generate.mjs DOCUMENT TYPES. A file of a form is a Blob, as FormData takes it.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [from, to] = process.argv.slice(2);
const nodes = await openapiTS(JSON.parse(await readFile(from, "utf8")), {
  defaultNonNullable: false, // a field with a default need not be sent
  transform: (schema) =>
    schema.format === "binary" ? ts.factory.createTypeReferenceNode("Blob") : undefined,
});
await writeFile(to, astToString(nodes));
