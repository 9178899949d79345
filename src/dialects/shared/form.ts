/** Fields of forms → the values that schemas check: text is text, numbers and switches come as text too. */
import type { FormBody, UploadedFile } from "../route.ts";
import { badField } from "./body.ts";

/** The one file of a field. Throws `bad_request`. */
export function oneFile({ files, fields }: FormBody, field: string): UploadedFile {
  const [file, ...more] = files.get(field) ?? [];
  if (!file)
    throw badField(
      field,
      fields.has(field) ? "is text; it must be a file" : "is missing",
      `Send the file as the part \`${field}\`.`,
    );
  if (more.length > 0) throw badField(field, `is there ${more.length + 1} times`, "Send one file a request.");
  return file;
}

/** Fields that are there once, by name. Throws `bad_request` for one that is there more often. */
export function singleFields({ fields }: FormBody, names: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(
    names.map((name) => {
      const [value, ...more] = fields.get(name) ?? [];
      if (more.length > 0) throw badField(name, `is there ${more.length + 1} times`);
      return [name, value === "" ? undefined : value];
    }),
  );
}

/** A list, named `x` or `x[]`. */
export function listField({ fields }: FormBody, name: string): readonly string[] {
  return [...(fields.get(name) ?? []), ...(fields.get(`${name}[]`) ?? [])];
}
