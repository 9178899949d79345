import { classicRecipes } from "./classic.ts";
import { iq4Xs } from "./iq4.ts";
import { kRecipes } from "./k.ts";
import type { QuantizedType, Recipe } from "./recipe.ts";

export const recipes: Readonly<Record<QuantizedType, Recipe>> = { ...classicRecipes, ...kRecipes, IQ4_XS: iq4Xs };
