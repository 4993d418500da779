// The service worker: registered once the first map stands, so that it costs that map nothing.
const AFTER_MS = 2000;

/** Keep the page and its last view readable without a network, where the browser can (https or this machine). */
export function keepForLater(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const first = navigator.serviceWorker.controller === null;
  const register = async (): Promise<void> => {
    await navigator.serviceWorker.register("/sw.js");
    const { active } = await navigator.serviceWorker.ready;
    // what came before the worker was there is kept as well: the view can be read after the first visit already
    if (first) active?.postMessage({ keep: performance.getEntriesByType("resource").map((entry) => entry.name) });
  };
  const soon = (): void => void setTimeout(() => void register().catch(() => undefined), AFTER_MS); // without it nothing else is lost
  const wait = (): void => (document.body.dataset["ready"] === "true" ? soon() : void setTimeout(wait, 300));
  wait();
}
