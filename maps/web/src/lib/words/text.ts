/** A word in both languages. */
export type Text = readonly [zh: string, en: string];
