// The words of sign-in, account, users and audit.
import type { Text } from "./text.ts";

export const PEOPLE = {
} as const satisfies Record<string, Text>;
