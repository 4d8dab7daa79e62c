import type { Mutation } from "./mutation.ts";
import { partMutations } from "./parts.ts";
import { tokenMutations } from "./token.ts";

export const mutations: readonly Mutation[] = [...tokenMutations, ...partMutations];
