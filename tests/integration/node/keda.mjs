// KEDA's objects, as JSON on standard input, against its published types: the validators and the fields of @kubernetes-models/keda.
// Prints for each what is wrong with it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";

const home = dirname(createRequire(import.meta.url).resolve("@kubernetes-models/keda/package.json"));

/** Field -> the type that its declaration names, of an interface or another name for one. */
function fields(type) {
  const text = readFileSync(join(home, "keda.sh", "v1alpha1", `${type}.d.ts`), "utf8");
  const other = new RegExp(`^export type I${type} = \\w+V1alpha1(\\w+);$`, "m").exec(text);
  if (other) return fields(other[1]);
  const body = text.slice(text.indexOf(`interface I${type} `), text.indexOf("\n}"));
  return new Map([...body.matchAll(/^ {4}"(\w+)"\??: (.*);?$/gm)].map(([, name, of]) => [name, of]));
}

/** Fields that a type does not have, here and in the types of KEDA below. Kubernetes takes no unknown field of a custom resource in. */
function unknown(value, type, path) {
  if (Array.isArray(value)) return value.flatMap((one, index) => unknown(one, type, `${path}[${index}]`));
  if (!fields(type).size) return [];
  return Object.entries(value).flatMap(([name, below]) => {
    const of = fields(type).get(name);
    if (of === undefined) return [`${path}.${name} is no field of ${type}`];
    const next = /V1alpha1(\w+)/.exec(of)?.[1];
    return next && typeof below === "object" ? unknown(below, next, `${path}.${name}`) : [];
  });
}

function wrong(manifest) {
  const found = unknown(manifest, manifest.kind, manifest.kind);
  try {
    new keda[manifest.kind](manifest).validate();
  } catch (error) {
    found.push(error.message);
  }
  return found;
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(wrong)));
