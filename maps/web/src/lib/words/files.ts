// The words of loads and exports.
import type { Text } from "./text.ts";

export const FILES = {
} as const satisfies Record<string, Text>;
