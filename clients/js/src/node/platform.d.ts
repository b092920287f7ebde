// What is used of Node, so that the package needs no other types.
declare module "node:fs" {
  export function openAsBlob(path: string | URL): Promise<Blob>;
}
declare module "node:process" {
  export const env: Readonly<Record<string, string | undefined>>;
}
