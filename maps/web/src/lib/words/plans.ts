// The words of the planner's editor.
import type { Text } from "./text.ts";

export const PLANS = {
} as const satisfies Record<string, Text>;
