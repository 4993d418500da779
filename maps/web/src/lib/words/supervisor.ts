// The words of the supervisor's strip, panel, matrix and reports.
import type { Text } from "./text.ts";

export const SUPERVISOR = {
} as const satisfies Record<string, Text>;
